"""Features of a frozen backbone as a task's inputs, against features computed another way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from pathnet_evo.interfaces.tasks import SupervisedTask, TaskContext
from pathnet_evo.plugins.files import PluginFile, import_file
from pathnet_evo_images.backbone import Backbone
from pathnet_evo_images.digits import Digits
from pathnet_evo_images.encoder import ImageEncoder
from pathnet_evo_images.folder import Folder

TINY = '''
"""A backbone for tests."""
import torch
from torch import nn
from pathnet_evo import backbone

@backbone
def tiny():
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3))
    network.size, network.mean, network.deviation = 12, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
    return network

def unmarked():
    return nn.Identity()

@backbone
def text():
    return "no module"
'''
FEATURES = 36
"""Four channels of 3x3."""


@pytest.fixture
def tiny(tmp_path: Path) -> Backbone:
    """A plugin file's backbone."""
    file = tmp_path / "small_backbones.py"
    file.write_text(TINY)
    import_file(PluginFile(path=str(file)))
    return Backbone(name="small_backbones:tiny")


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The size of each batch that goes through a backbone, except its own sample."""
    seen: list[int] = []
    forward = ImageEncoder.forward

    def counted(self: ImageEncoder, x: Tensor) -> Tensor:
        if not torch.equal(x[0], self.sample):
            seen.append(len(x))
        return forward(self, x)

    monkeypatch.setattr(ImageEncoder, "forward", counted)
    return seen


def reference(network: nn.Module, images: Tensor) -> Tensor:
    """Features by torch's own resizing, all images in one batch."""
    x = images.repeat(1, 3 // images.shape[1], 1, 1).float() / 255
    x = interpolate(x, (12, 12), mode="bilinear", antialias=True)
    x = (x - torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1)) / torch.tensor([0.2, 0.3, 0.4]).view(
        3, 1, 1
    )
    with torch.no_grad():
        found: Tensor = network.eval()(x)
    return found.flatten(1)


def pixels(context: Callable[..., TaskContext], **options: Any) -> SupervisedTask:
    """The same task without its backbone."""
    return Digits(**options).make(context())


Context = Callable[..., TaskContext]


def test_inputs_are_the_backbones_features(tiny: Backbone, context: Context) -> None:
    """Paths would learn from another network, or from pictures prepared otherwise."""
    task = Digits(backbone=tiny, examples=60).make(context())
    network, plain = tiny.load().backbone.network, pixels(context, examples=60)
    assert task.input_shape == (FEATURES,)
    assert task.inputs.dtype == torch.float32
    for found, images in ((task.inputs, plain.inputs), (task.test_inputs, plain.test_inputs)):
        torch.testing.assert_close(found, reference(network, images), rtol=1e-4, atol=1e-5)
    assert torch.equal(task.labels, plain.labels)
    assert torch.equal(task.test_labels, plain.test_labels)


def test_features_are_normalised_around_their_means(tiny: Backbone, context: Context) -> None:
    """A feature of large values would drown the others, or one that hardly varies be blown up."""
    task = Digits(backbone=tiny, examples=60).make(context())
    x = task.inputs.double().numpy()
    np.testing.assert_allclose(task.shift, x.mean(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(task.scale, [1 / np.sqrt(x.var(0).mean())], rtol=1e-5)
    raw = Digits(backbone=tiny, examples=60, normalise=False).make(context())
    assert raw.shift is raw.scale is None


def test_pixel_options_come_before_the_backbone(tiny: Backbone, context: Context) -> None:
    """Noise, rotation and permutation would be left out where a backbone is used."""
    options: dict[str, Any] = {"examples": 40, "noise": 0.3, "rotation": 30.0, "permutation": 3}
    options["copies"] = 2
    task = Digits(backbone=tiny, **options).make(context())
    plain = pixels(context, **options)
    expected = reference(tiny.load().backbone.network, plain.inputs)
    torch.testing.assert_close(task.inputs, expected, rtol=1e-4, atol=1e-5)
    assert task.sources is not None
    assert plain.sources is not None
    assert torch.equal(task.sources, plain.sources)


def test_features_do_not_depend_on_the_other_images(
    tiny: Backbone,
    context: Context,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    threads: None,
) -> None:
    """The same picture would have other features in another run, order or number of threads."""
    every = Digits(backbone=tiny).make(context())
    images = pixels(context).inputs
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache / "other"))
    torch.set_num_threads(3)
    few = Digits(backbone=tiny, examples=25).make(context(seed=4))
    assert torch.get_num_threads() == 3
    chosen = Digits(examples=25).make(context(seed=4)).inputs
    for feature, image in zip(few.inputs, chosen, strict=True):
        (same,) = (images == image).flatten(1).all(1).nonzero()[0]
        assert torch.equal(feature, every.inputs[same])


@pytest.fixture
def threads() -> Iterator[None]:
    """Torch's number of threads, put back in the end."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_picture_is_computed_once(
    tiny: Backbone, context: Context, computed: list[int], threads: None
) -> None:
    """A second run, or another seed, would wait for the backbone again."""
    first = Digits(backbone=tiny, examples=30).make(context())
    assert set(computed) == {1}, "each image goes through the backbone alone"
    assert len(computed) == 30 + 355
    torch.set_num_threads(3)
    again = Digits(backbone=tiny, examples=30).make(context())
    assert len(computed) == 30 + 355
    assert torch.equal(first.inputs, again.inputs)
    assert torch.equal(first.test_inputs, again.test_inputs)
    more = Digits(backbone=tiny).make(context())
    assert len(computed) == len(more.inputs) + 355
    Digits(backbone=tiny, examples=30, copies=3).make(context(seed=8))
    assert len(computed) == len(more.inputs) + 355


def test_another_size_is_other_features(
    tiny: Backbone, context: Context, computed: list[int]
) -> None:
    """Features of one preprocessing would be taken for those of another."""
    Digits(backbone=tiny, examples=10).make(context())
    n = len(computed)
    other = tiny.model_copy(update={"size": 15})
    task = Digits(backbone=other, examples=10).make(context())
    assert len(computed) == 2 * n
    assert task.input_shape == (64,)


def test_folders_are_read_at_the_backbones_size(
    tiny: Backbone, context: Context, write_tree: Any, tmp_path: Path
) -> None:
    """Pictures of many sizes would be refused, or lose their detail before the backbone."""
    write_tree(tmp_path / "d", ["a", "b"], size=(20, 31))
    task = Folder(root=tmp_path / "d", backbone=tiny).make(context())
    plain = Folder(root=tmp_path / "d", size=12).make(context())
    expected = reference(tiny.load().backbone.network, plain.inputs)
    torch.testing.assert_close(task.inputs, expected, rtol=1e-4, atol=1e-5)
    assert task.reading["backbone"]["input_shape"] == [3, 12, 12]


def test_pictures_are_shown_whatever_their_size(
    tiny: Backbone, context: Context, write_tree: Any, tmp_path: Path
) -> None:
    """A report would lose its pictures and mistakes where ``pad`` cannot shrink to a thumbnail."""
    write_tree(tmp_path / "d", ["a", "b"], size=(100, 100))
    task = Folder(root=tmp_path / "d", backbone=tiny, fit="pad")
    assert task.pictured(context()).input_shape == (3, 64, 64)


def test_the_task_names_its_backbone(tiny: Backbone, context: Context) -> None:
    """A run would resume on features of other weights without a word."""
    from pathnet_evo.interfaces.fingerprint import Fingerprint

    task = Digits(backbone=tiny, examples=10).make(context())
    facts = Fingerprint.of(task).facts
    assert facts["backbone"] == "small_backbones:tiny"
    assert facts["backbone weights"] == tiny.load().digest[:16]
