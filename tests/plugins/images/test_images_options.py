"""Every option of the image tasks against a reference computed another way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.tasks import SupervisedTask, TaskContext, TaskError
from pathnet_evo_images.digits import Digits
from pathnet_evo_images.folder import Folder


def same(a: SupervisedTask, b: SupervisedTask) -> bool:
    """Whether two tasks agree bit for bit."""
    parts = ("inputs", "labels", "test_inputs", "test_labels", "shift", "scale")
    return all(torch.equal(getattr(a, part), getattr(b, part)) for part in parts)


@pytest.fixture(scope="module")
def plain() -> SupervisedTask:
    """The digits as they are."""
    return Digits().make(TaskContext(Streams(0)))


def test_normalising_uses_the_training_images(plain) -> None:
    """Inputs would reach the network shifted, or with knowledge of the test set."""
    x = plain.inputs.numpy().astype(np.float64)
    np.testing.assert_allclose(plain.shift.flatten(), x.mean(), rtol=1e-6)
    np.testing.assert_allclose(plain.scale.flatten(), 1 / x.std(), rtol=1e-6)
    assert plain.shift.shape == plain.scale.shape == (1, 1, 1)
    assert plain.shift.dtype == plain.scale.dtype == torch.float32
    prepared = plain.prepare(plain.inputs)
    assert abs(prepared.mean().item()) < 1e-4
    assert abs(prepared.std().item() - 1) < 1e-4


def test_normalising_is_per_channel(tmp_path, context, write_tree) -> None:
    """Colours of different brightness would not be brought to one range."""
    pixels = write_tree(tmp_path / "d", ["a", "b"])
    task = Folder(root=tmp_path / "d").make(context())
    train = np.stack([p for path, p in pixels.items() if path.startswith("train")]).astype(float)
    np.testing.assert_allclose(task.shift.flatten(), train.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(1 / task.scale.flatten(), train.std((0, 1, 2)), rtol=1e-6)


def test_not_normalising_scales_to_one(context) -> None:
    """``normalise = false`` would give values outside 0 ... 1."""
    task = Digits(normalise=False).make(context())
    prepared = task.prepare(task.inputs)
    assert task.shift is None
    assert (prepared.min().item(), prepared.max().item()) == (0.0, 1.0)


def test_a_constant_channel_is_no_division_by_zero(tmp_path, context) -> None:
    """Black images would turn into NaN and fail every evaluation."""
    for split in ("train", "test"):
        for name in ("a", "b"):
            (tmp_path / "d" / split / name).mkdir(parents=True)
            Image.new("L", (4, 4)).save(tmp_path / "d" / split / name / "0.png")
    task = Folder(root=tmp_path / "d").make(context())
    assert torch.equal(task.prepare(task.inputs), torch.zeros(2, 1, 4, 4))


def test_resizing_agrees_with_pillow(tmp_path, context, write_tree) -> None:
    """Resized images would be shifted, mirrored or aliased."""
    pixels = write_tree(tmp_path / "d", ["a", "b"], n=1, size=(20, 14))
    task = Folder(root=tmp_path / "d", classes=("b", "a"), size=9).make(context())
    b, a = task.inputs[task.labels.argsort()].permute(0, 2, 3, 1).numpy().astype(int)
    for got, name in ((a, "a"), (b, "b")):
        image = Image.fromarray(pixels[f"train/{name}/0.png"])
        expected = np.asarray(image.resize((9, 9), Image.Resampling.BILINEAR)).astype(int)
        assert np.abs(got - expected).max() <= 1


def test_padding_keeps_every_pixel(plain, context) -> None:
    """``fit = "pad"`` would resample or move the image."""
    task = Digits(size=11, fit="pad").make(context())
    expected = np.pad(plain.inputs.numpy(), ((0, 0), (0, 0), (1, 2), (1, 2)))
    np.testing.assert_array_equal(task.inputs.numpy(), expected)


def test_padding_to_less_is_refused(context) -> None:
    """Images would be cut without a word."""
    with pytest.raises(TaskError, match=r'^digits: fit = "pad" cannot bring 8x8 pixels to 7x7'):
        Digits(size=7, fit="pad").make(context())


def test_grey_becomes_colour_by_repeating(plain, context) -> None:
    """Grey images on a colour pool would be anything but grey."""
    task = Digits(channels=3).make(context())
    np.testing.assert_array_equal(task.inputs.numpy(), np.repeat(plain.inputs.numpy(), 3, 1))


def test_colour_becomes_grey_as_pillow_does_it(tmp_path, context, write_tree) -> None:
    """Colour images on a grey pool would be of the wrong brightness."""
    pixels = write_tree(tmp_path / "d", ["a", "b"], n=1)
    task = Folder(root=tmp_path / "d", channels=1).make(context())
    got = task.inputs[task.labels.argsort(), 0].numpy()
    for image, name in zip(got, "ab", strict=True):
        expected = Image.fromarray(pixels[f"train/{name}/0.png"]).convert("L")
        np.testing.assert_array_equal(image, np.asarray(expected))


def test_the_task_adapts_to_the_pool(context) -> None:
    """Tasks of different shapes could not share a pool without configuring each."""
    assert Digits().make(context(input_shape=(3, 12, 10))).input_shape == (3, 12, 10)
    assert Digits().make(context(input_shape=(4, 84, 84))).input_shape == (4, 84, 84)
    assert Digits(size=9).make(context(input_shape=(3, 12, 10))).input_shape == (3, 9, 9)
    assert Digits().make(context(input_shape=(64,))).input_shape == (1, 8, 8)


def test_classes_are_renumbered_in_the_order_asked_for(plain, context) -> None:
    """Labels would not be those of ``class_names``, or classes be mixed up."""
    task = Digits(classes=(7, "2", 9)).make(context())
    assert task.class_names == ("7", "2", "9")
    assert task.name == "digits 7-2-9"
    assert task.n_classes == 3
    for label, digit in enumerate((7, 2, 9)):
        assert torch.equal(task.inputs[task.labels == label], plain.inputs[plain.labels == digit])
        test = plain.test_inputs[plain.test_labels == digit]
        assert torch.equal(task.test_inputs[task.test_labels == label], test)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_noise_sets_the_share_of_pixels_to_the_extremes(plain, context, share) -> None:
    """Salt and pepper would be of another strength than the configuration says."""
    task = Digits(noise=share).make(context())
    for noisy, clean in ((task.inputs, plain.inputs), (task.test_inputs, plain.test_inputs)):
        inner = (clean != 0) & (clean != 255)
        salt = (noisy[inner] == 255).double().mean().item()
        pepper = (noisy[inner] == 0).double().mean().item()
        within = 4 * (0.25 / int(inner.sum())) ** 0.5
        assert abs(salt - share / 2) <= within
        assert abs(pepper - share / 2) <= within
        kept = (noisy != 0) & (noisy != 255)
        assert torch.equal(noisy[kept], clean[kept])


def test_noise_hits_all_channels_of_a_pixel(context) -> None:
    """Salt and pepper would be coloured confetti on colour images."""
    task = Digits(noise=0.5, channels=3).make(context())
    assert torch.equal(task.inputs[:, 0], task.inputs[:, 1])


def test_copies_have_noise_of_their_own(plain, context) -> None:
    """Copies would all carry the same noise, which a network learns by heart."""
    task = Digits(noise=0.5, copies=3).make(context())
    n = len(plain.inputs)
    assert len(task.inputs) == 3 * n
    assert len(task.test_inputs) == 3 * len(plain.test_inputs)
    assert torch.equal(task.labels, torch.cat([plain.labels] * 3))
    assert not torch.equal(task.inputs[:n], task.inputs[n : 2 * n])


def test_noise_leaves_other_tasks_alone(plain, context) -> None:
    """Noise would be written into images that tasks share."""
    before = Digits().make(context())
    Digits(noise=1.0).make(context())
    assert same(before, plain)
    assert same(Digits().make(context()), plain)


def test_examples_are_balanced(plain, context) -> None:
    """A small training set would lack classes by chance."""
    task = Digits(examples=25).make(context())
    counts = torch.bincount(task.labels, minlength=10)
    assert len(task.inputs) == 25
    assert counts.min() == 2
    assert counts.max() == 3
    assert len(task.test_inputs) == len(plain.test_inputs)


def test_examples_of_rare_classes_are_made_up_by_others(tmp_path, context, write_tree) -> None:
    """Fewer examples than asked for would be used where a class has few."""
    write_tree(tmp_path / "d", ["a", "b", "c"], n=6)
    for index in range(5):
        (tmp_path / f"d/train/a/{index}.png").unlink()
    task = Folder(root=tmp_path / "d", examples=10).make(context())
    assert sorted(torch.bincount(task.labels).tolist()) == [1, 4, 5]


def test_more_examples_than_there_are(context) -> None:
    """A configuration would promise more data than a run has."""
    with pytest.raises(TaskError, match=r"stages\.2\.task\.examples: 2000 .* 1442 training"):
        Digits(examples=2000).make(context(stage=2))


def test_same_seed_same_task(context) -> None:
    """A run could not be repeated bit for bit."""
    settings = Digits(noise=0.3, examples=100, classes={"draw": 3}, size=10)
    assert same(settings.make(context(seed=5)), settings.make(context(seed=5)))


def test_other_seeds_and_stages_draw_anew(context) -> None:
    """All trials would see one and the same noise and examples."""
    settings = Digits(noise=0.3, examples=100)
    first = settings.make(context(seed=5))
    assert not torch.equal(first.inputs, settings.make(context(seed=6)).inputs)
    assert not torch.equal(first.inputs, settings.make(context(seed=5, stage=1)).inputs)
    assert not torch.equal(first.test_inputs, settings.make(context(seed=6)).test_inputs)


def test_a_permutation_moves_the_pixels_of_all_images_alike(tmp_path, context, write_tree) -> None:
    """Training and test images, colours or seeds would have permutations of their own."""
    write_tree(tmp_path / "d", ["a", "b"])
    task = Folder(root=tmp_path / "d").make(context())
    moved = Folder(root=tmp_path / "d", permutation=3).make(context(seed=1))
    order = np.random.default_rng(3).permutation(30)
    for before, after in ((task.inputs, moved.inputs), (task.test_inputs, moved.test_inputs)):
        expected = before.numpy().reshape(-1, 3, 30)[:, :, order].reshape(-1, 3, 6, 5)
        np.testing.assert_array_equal(after.numpy(), expected)
    other = Folder(root=tmp_path / "d", permutation=4).make(context())
    assert not torch.equal(moved.inputs, other.inputs)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_are_exact(plain, context, turns) -> None:
    """Images would be turned the wrong way, about another point, or be blurred."""
    turned = Digits(rotation=90.0 * turns).make(context())
    assert torch.equal(turned.inputs, torch.rot90(plain.inputs, turns, (2, 3)))
    assert torch.equal(turned.test_inputs, torch.rot90(plain.test_inputs, turns, (2, 3)))


def test_rotation_agrees_with_torchvision(tmp_path, context, write_tree) -> None:
    """Other angles would be off, most of all on images that are not square."""
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.functional import rotate

    write_tree(tmp_path / "d", ["a", "b"], size=(12, 20))
    task = Folder(root=tmp_path / "d").make(context())
    turned = Folder(root=tmp_path / "d", rotation=33.0).make(context())
    expected = rotate(task.inputs, 33.0, InterpolationMode.BILINEAR)
    assert int((turned.inputs.int() - expected.int()).abs().max()) <= 1
