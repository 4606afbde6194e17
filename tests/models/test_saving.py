"""A network in a file is the network, and no other file is taken for one."""

from __future__ import annotations

import json
import pickle

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pathnet_evo import ModelError, Registry, load_network
from pathnet_evo.models.format import HEADER, checksum
from pathnet_evo.models.info import FORMAT


@pytest.fixture(scope="module")
def registry():
    return Registry()


def test_a_file_gives_the_network_back_bit_for_bit(network, images, registry, tmp_path):
    """What is shipped would answer otherwise than what was trained."""
    network.save(tmp_path / "model.safetensors", license="CC-BY-4.0")
    again = load_network(tmp_path / "model.safetensors", registry)
    assert torch.equal(again(images), network(images))
    assert not again.training
    assert again.path == network.path
    assert again.info == network.info.model_copy(update={"license": "CC-BY-4.0"})
    again.save(tmp_path / "again.safetensors")
    first, second = (tmp_path / f"{name}.safetensors" for name in ("model", "again"))
    assert first.read_bytes() == second.read_bytes()


def test_only_what_the_path_needs_is_in_the_file(make_network, tmp_path):
    """A small path of a large pool would ship the pool, and shared columns several times."""
    network = make_network("convolution")
    network.save(tmp_path / "m")
    tensors = load_file(tmp_path / "m")
    assert {name.partition(".")[0] for name in tensors} == {"shift", "scale", "0", "1", "2"}
    paths = [about.path for about in network.info.networks]
    for i, path in enumerate(paths):
        for j, modules in enumerate(path):
            assert len(tensors[f"{i}.{j}.weight"]) == len(modules)
    assert [f"{i}.3.weight" in tensors for i in range(3)] == [False, False, True]


def test_a_fitted_readout_that_does_not_fit_is_damage(make_network, registry, tmp_path):
    """A stranger's file could ask for a readout of another network, or of none."""
    make_network("convolution", fitted=True).save(tmp_path / "m")
    with safe_open(tmp_path / "m", "pt") as file:
        about = json.loads(file.metadata()[HEADER])
    tensors = load_file(tmp_path / "m")
    for change in ({"fitted": False}, {}):
        kept = {**about, **change, "sha256": None}
        if not change:
            tensors["fitted.maps.0"] = tensors["fitted.maps.0"][:, :-1].contiguous()
        kept["sha256"] = checksum(json.dumps(kept), tensors)
        save_file(tensors, tmp_path / "m", {HEADER: json.dumps(kept)})
        assert "damaged" in refused(tmp_path / "m", registry)


def test_a_file_stands_alone_and_says_what_it_is(make_network, tmp_path):
    """An archive of models could not be searched without loading them."""
    make_network().save(tmp_path / "m", license="MIT")
    with safe_open(tmp_path / "m", "pt") as file:
        about = json.loads(file.metadata()[HEADER])
    assert about["format"] == 1
    assert about["signature"]["names"] == ["ant", "bee", "cat", "dog"]
    assert (about["license"], about["scores"]) == ("MIT", {"test_accuracy": 0.75})
    assert about["input_shape"] == [2, 8, 8]


def test_every_flipped_bit_is_found(make_network, registry, tmp_path):
    """A damaged model would be used as if it were sound."""
    make_network(stages=2).save(tmp_path / "m")
    whole = (tmp_path / "m").read_bytes()
    for at in [*range(0, len(whole), len(whole) // 60), len(whole) - 1]:
        (tmp_path / "m").write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        refused(tmp_path / "m", registry)
    for length in (0, 5, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "m").write_bytes(whole[:length])
        refused(tmp_path / "m", registry)


def refused(file, registry) -> str:
    with pytest.raises(ModelError) as caught:
        load_network(file, registry)
    text = str(caught.value)
    assert text.startswith(str(file))
    assert len(text.splitlines()) == 1
    return text


def test_other_files_are_refused(registry, tmp_path):
    """A pickle would be executed, or a stranger's weights be taken for a network."""
    assert "No such file" in refused(tmp_path / "missing", registry)
    assert refused(tmp_path, registry)
    (tmp_path / "pickled").write_bytes(pickle.dumps({"weight": 1}))
    assert "not a safetensors file" in refused(tmp_path / "pickled", registry)
    save_file({"weight": torch.ones(2)}, tmp_path / "other")
    assert "not a network of pathnet-evo" in refused(tmp_path / "other", registry)


def test_a_newer_format_is_told(make_network, registry, tmp_path):
    """A user would hear of damage where an update is all that is missing."""
    forge(
        make_network, tmp_path / "m", lambda about: {**about, "format": FORMAT + 1, "new": "field"}
    )
    assert "newer pathnet-evo" in refused(tmp_path / "m", registry)


def forge(make_network, file, change, tensors=lambda found: found) -> None:
    """A file whose sum is right although its content is not."""
    make_network().save(file)
    with safe_open(file, "pt") as opened:
        about = json.loads(opened.metadata()[HEADER])
    found = tensors(load_file(file))
    about = change({**about, "sha256": None})
    text = json.dumps(about)
    if isinstance(about, dict):
        text = json.dumps({**about, "sha256": checksum(text, found)})
    save_file(found, file, {HEADER: text})


def changed(*place, to):
    """A change of a header's value."""

    def change(about):
        at = about
        for key in place[:-1]:
            at = at[key]
        at[place[-1]] = to
        return about

    return change


@pytest.mark.parametrize(
    "change",
    [
        changed("format", to=0),
        changed("format", to="1"),
        changed("networks", to=[]),
        changed("networks", 0, "hears", to=[0]),
        changed("networks", 2, "hears", to=[5]),
        changed("networks", 2, "hears", to=[0, 0]),
        changed("networks", 2, "hears", to=[0]),
        changed("networks", 0, "path", to=[[0], [0], []]),
        changed("networks", 0, "path", to=[[0, 1], [0, 1], [0, 1, 2]]),
        changed("networks", 0, "path", to=[[0, 1], [0, 1]]),
        changed("networks", 0, "layers", 0, "kind", to="linnear"),
        changed("networks", 0, "layers", 0, "kind", to=["linear"]),
        changed("networks", 0, "layers", 0, "units", to=10**15),
        changed("networks", 0, "layers", 0, "units", to=6),
        changed("networks", 0, "layers", 0, "extra", to=1),
        changed("networks", 2, "layers", 3, "kind", to="linear"),
        changed("input_shape", to=[2, 8, 9]),
        changed("input_shape", to=[2**31 - 1, 2**31 - 1, 2**31 - 1, 2**31 - 1]),
        changed("signature", "count", to=5),
        changed("signature", "names", to=["one"]),
        changed("signature", "names", to=None),
        changed("aggregate", to="max"),
        changed("stage", to=-1),
        changed("surprise", to=1),
        lambda about: [about],
        lambda about: "text",
    ],
    ids=range(26),
)
def test_a_header_that_contradicts_itself_is_refused(change, make_network, registry, tmp_path):
    """Somebody else's file would end in a traceback, fill memory, or give another network."""
    forge(make_network, tmp_path / "m", change)
    refused(tmp_path / "m", registry)


@pytest.mark.parametrize(
    "change",
    [
        lambda found: {**found, "unknown": torch.ones(1)},
        lambda found: {name: v for name, v in found.items() if name != "0.0.bias"},
        lambda found: {**found, "0.0.bias": found["0.0.bias"].double()},
        lambda found: {**found, "1.1.scale": torch.ones(3)},
        lambda found: {**found, "shift": torch.ones(7)},
        lambda found: {**found, "scale": torch.ones(3, 1, 1, 1)},
    ],
    ids=range(6),
)
def test_tensors_that_do_not_fit_are_refused(change, make_network, registry, tmp_path):
    """Weights would be broadcast, or left out, without a word."""
    forge(make_network, tmp_path / "m", lambda about: about, change)
    refused(tmp_path / "m", registry)


def test_a_kind_that_is_not_installed_is_named(make_network, tmp_path):
    """A user would not know which plugin a model needs."""
    forge(make_network, tmp_path / "m", changed("networks", 0, "layers", 0, "kind", to="wavelet"))
    assert '"wavelet" is not registered' in refused(tmp_path / "m", Registry())


def test_nothing_is_left_of_a_file_that_cannot_be_written(make_network, tmp_path):
    """Half a file would lie where a whole one was wanted."""
    with pytest.raises(ModelError, match=r"nowhere/m: cannot be written \(No such file"):
        make_network().save(tmp_path / "nowhere" / "m")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ModelError, match=r"folder: cannot be written"):
        make_network().save(tmp_path / "folder")
    with pytest.raises(ModelError, match="license: not a name"):
        make_network().save(tmp_path / "m", license="one\ntwo")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
