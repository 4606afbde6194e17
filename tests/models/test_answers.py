"""What a network answers, and what it says of inputs that it cannot take."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from PIL import Image

from pathnet_evo import ModelError, Registry, Signature, load_network

ACTS = {"outputs": "actions", "count": 3, "names": ("left", "stay", "right")}


def test_predict_gives_names_and_probabilities(make_network, images):
    """A user would be left with logits, and with a list of names to match to them."""
    network = make_network()
    found = network.predict(images)
    with torch.no_grad():
        wanted = torch.nn.functional.softmax(network(images), 1)
    torch.testing.assert_close(found.probabilities, wanted)
    names = ("ant", "bee", "cat", "dog")
    assert found.labels == [names[i] for i in wanted.argmax(1).tolist()]
    first = found[0]
    assert (first.label, first.index) == (found.labels[0], int(wanted[0].argmax()))
    assert first.probability == pytest.approx(float(wanted[0].max()))
    assert [name for name, _ in first.top(2)] == [
        names[i] for i in wanted[0].argsort()[-2:].flip(0)
    ]
    assert len(found) == len([*found]) == 7
    assert first.label in repr(found)


def test_inputs_of_every_library_are_the_same_inputs(make_network, images):
    """An array would be taken for something else than the tensor of the same numbers."""
    network = make_network()
    wanted = network.predict(images).probabilities
    for given in (images.numpy(), [*images], [*images.numpy()], images.tolist(), images.long()):
        assert torch.equal(network.predict(given).probabilities, wanted)
    single = network.predict(images[0].numpy())
    assert len(single) == 1
    torch.testing.assert_close(single.probabilities, wanted[:1])


def test_classes_without_names_are_numbers(make_network, images):
    """A task without names could not be used at all."""
    network = make_network(signature=Signature(outputs="classes", count=4, input_type="uint8"))
    assert set(network.predict(images).labels) <= {"0", "1", "2", "3"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.zeros((5, 8, 8, 2), np.uint8), r"channels come last: x\.transpose\(0, 3, 1, 2\)"),
        (np.zeros((8, 8, 2), np.uint8), r"channels come last: x\.transpose\(2, 0, 1\)"),
        (np.zeros((5, 2, 9, 9), np.uint8), r"got \(5, 2, 9, 9\)\. Bring them to 8x8 pixels and 2"),
        (np.zeros(7, np.uint8), r"takes inputs of shape \(2, 8, 8\), or \(n, \*\(2, 8, 8\)\); got"),
        (np.zeros((0, 2, 8, 8), np.uint8), "no inputs"),
        ([], "got"),
        (np.zeros((1, 2, 8, 8)), r"0 to 255 \(uint8\), got float64"),
        (np.full((1, 2, 8, 8), 300), "got 300 to 300"),
        (np.full((1, 2, 8, 8), -1), "got -1 to -1"),
        ([np.zeros((2, 8, 8), np.uint8), np.zeros((2, 8, 7), np.uint8)], "of one shape"),
        ([None], "not numbers"),
        (object(), "not numbers"),
        ("rose.jpg", "cannot read str: give arrays or tensors"),
        (torch.zeros(1, 2, 8, 8, dtype=torch.complex64), "complex"),
    ],
    ids=range(14),
)
def test_wrong_inputs_are_told_in_words(given, words, make_network):
    """A user would meet a matrix product that does not fit, or get nonsense for 0-to-1 images."""
    with pytest.raises(ModelError, match=words) as told:
        make_network(stages=1).predict(given)
    assert len(str(told.value).splitlines()) == 1


def test_a_missing_channel_is_told(make_network):
    """Grey pictures come without a channel from every library."""
    network = make_network("linear", stages=1, shape=(1, 8, 8))
    for given, way in (
        (np.zeros((8, 8), int), "x[None]"),
        (np.zeros((9, 8, 8), int), "x[:, None]"),
    ):
        with pytest.raises(ModelError) as told:
            network.predict(given)
        assert "The channel is missing" in str(told.value)
        assert way in str(told.value)


def test_measurements_that_are_not_finite_are_refused(make_network):
    """A missing value would give a confident answer."""
    signature = Signature(outputs="classes", count=4, input_type="float32")
    network = make_network("vectors", stages=1, signature=signature, shape=(6,))
    assert len(network.predict(np.ones((3, 6)))) == 3
    with pytest.raises(ModelError, match="not finite"):
        network.predict([np.nan] * 6)


def test_act_takes_the_best_action_or_draws_one(make_network):
    """A deployed player would play another policy than the one that was scored."""
    network = make_network(signature=Signature(**ACTS), policy=True)
    seen = torch.randn(400, 2, 8, 8, generator=torch.Generator().manual_seed(2)) * 100 + 100
    with torch.no_grad():
        logits = network(seen)[:, :3]  # the fourth output is the value
    assert network.act(seen).tolist() == logits.argmax(1).tolist()
    assert network.act(seen[0].numpy()) == int(logits[0].argmax())
    one = seen[:1].expand(4000, -1, -1, -1)
    drawn = network.act(one, greedy=False, generator=torch.Generator().manual_seed(3))
    share = np.bincount(drawn, minlength=3) / len(drawn)
    np.testing.assert_allclose(share, logits[0].softmax(0).numpy(), atol=0.04)
    assert network.classes == ("left", "stay", "right")


def test_who_acts_does_not_classify(make_network, images):
    """The value of a state would be taken for a class."""
    with pytest.raises(ModelError, match=r"use predict\(inputs\)"):
        make_network(stages=1).act(images)
    player = make_network(stages=1, signature=Signature(**ACTS), policy=True)
    with pytest.raises(ModelError, match=r"use act\(observation\)"):
        player.predict(images)
    other = make_network(stages=1, signature=Signature(**ACTS))
    with pytest.raises(ModelError, match=r"Learner\.policy"):
        other.act(images)
    odd = make_network(stages=1, signature=Signature(outputs="classes", count=3))
    with pytest.raises(ModelError, match="4 outputs for 3 classes"):
        odd.predict(images)


def test_outputs_that_are_not_finite_are_told(make_network, images):
    """A network that diverged would name a class all the same."""
    network = make_network(stages=1)
    network.layers[0]["bias"].data.fill_(float("inf"))
    with pytest.raises(ModelError, match="outputs are not finite"):
        network.predict(images)


def test_a_network_can_be_copied(make_network, images):
    """Ensembles and servers copy networks."""
    network = make_network()
    assert torch.equal(copy.deepcopy(network)(images), network(images))


@pytest.fixture
def pictures(tmp_path):
    """A saved network of colour pictures, 8 x 8, and a folder for pictures."""

    def make(fit, make_network):
        signature = Signature(outputs="classes", count=4, input_type="uint8", reading={"fit": fit})
        network = make_network("linear", stages=1, signature=signature, shape=(3, 8, 8))
        network.save(tmp_path / "m")
        return load_network(tmp_path / "m", Registry())

    return make


@pytest.mark.parametrize("fit", ["resize", "pad"])
def test_pictures_are_read_as_the_task_reads_them(fit, pictures, make_network, tmp_path):
    """A photo would be turned, stretched or coloured otherwise than in training."""
    from pathnet_evo_images.folder import Folder

    rng = np.random.default_rng(0)
    size = (8, 8) if fit == "pad" else (13, 9)
    for split in ("train", "test"):
        for name in ("a", "b"):
            (tmp_path / split / name).mkdir(parents=True)
            pixels = rng.integers(256, size=(*size, 3), dtype=np.uint8)
            exif = Image.Exif()
            exif[0x0112] = 1 if fit == "pad" else 6
            place = tmp_path / split / name / "1.png"
            Image.fromarray(pixels).save(place, exif=exif)
    from pathnet_evo import TaskContext
    from pathnet_evo.core.streams import Streams

    settings = Folder(root=tmp_path, size=8, fit=fit)
    task = settings.make(TaskContext(Streams(0), 0, [settings]))
    network = pictures(task.reading["fit"], make_network)
    files = [tmp_path / "test" / name / "1.png" for name in task.class_names]
    with torch.no_grad():
        wanted = network(task.test_inputs[task.test_labels.argsort()]).softmax(1)
    torch.testing.assert_close(network.predict(files).probabilities, wanted)
    torch.testing.assert_close(network.predict(str(files[0])).probabilities, wanted[:1])
    opened = [Image.open(file) for file in files]
    torch.testing.assert_close(network.predict(opened).probabilities, wanted)
    mixed = network.predict([files[0], task.test_inputs[0].numpy()])
    assert len(mixed) == 2


def test_pictures_that_cannot_be_read_are_told(pictures, make_network, tmp_path):
    """One bad file among thousands would end in a traceback that does not name it."""
    network = pictures("pad", make_network)
    (tmp_path / "text.png").write_text("no picture")
    Image.new("I;16", (8, 8)).save(tmp_path / "deep.png")
    Image.new("RGB", (20, 20)).save(tmp_path / "large.png")
    for given, words in (
        (tmp_path / "text.png", r"cannot read .*text\.png \(not an image\)"),
        (tmp_path / "none.png", r"cannot read .*none\.png \(No such file"),
        (tmp_path / "deep.png", "16 bits a sample"),
        (Image.new("F", (8, 8)), "more than 8 bits"),
        (tmp_path / "large.png", "use a larger|cannot bring 20x20 pixels to 8x8"),
    ):
        with pytest.raises(ModelError, match=words) as told:
            network.predict([given])
        assert len(str(told.value).splitlines()) == 1


def test_actions_that_are_vectors_are_not_chosen(make_network, images):
    """Of means and deviations the largest would be taken for the number of an action."""
    signature = Signature(outputs="actions", count=2, continuous=True, input_type="uint8")
    network = make_network(signature=signature)
    with pytest.raises(ModelError, match="its actions are vectors"):
        network.act(images[0])
    assert "network.act" not in network.card()
    assert "logits" not in network.card()
