"""A plain torch module of the size of a full-width path, as rivals have it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pathnet_evo import Aggregate, ModuleKind, Shape


def check_kinds(kinds: Sequence[ModuleKind], method: str) -> None:
    """Refuse layers that a rival cannot have.

    Raises:
        ValueError: the message says which.
    """
    known = {"Linear"} if method == "progressive" else {"Linear", "Conv2d"}
    wrong = sorted({type(kind).__name__ for kind in kinds} - known)
    if wrong:
        raise ValueError(
            f"{method} has layers of kind {' and '.join(sorted(known))} only, not "
            f"{', '.join(wrong)}: leave the arm out, or change pool.layers"
        )
    if method == "progressive":
        _check_columns(kinds)


def _check_columns(kinds: Sequence[ModuleKind]) -> None:
    """Refuse layers that Avalanche's progressive columns cannot have."""
    if len({kind.output_shape((1,)) for kind in kinds}) > 1:
        raise ValueError("progressive has equal units in all layers only: leave the arm out")
    others = {getattr(kind, "initial", "torch") for kind in kinds} - {"torch"}
    if others:
        raise ValueError(
            f"progressive initialises as torch does, not {' or '.join(sorted(others))}: leave the "
            'arm out, or set pool.layers.*.initial = "torch"'
        )


class _OfModules:
    """A wide map whose weights are those of modules side by side, drawn by their kind.

    Args:
        kind: of the modules.
        n: number of modules, N.
        args, options: of the map.
    """

    def __init__(self, kind: ModuleKind, n: int, *args: Any, **options: Any) -> None:
        self.kind, self.n = kind, n  # the map's own constructor initialises
        super().__init__(*args, **options)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw new weights from torch's global generator; the parameters are on the CPU."""
        assert isinstance(self, nn.Module)
        modules = {
            name: torch.unflatten(values, 0, (self.n, -1))
            for name, values in self.named_parameters()
        }
        self.kind.initialise(modules, torch.default_generator)


class _WideLinear(_OfModules, nn.Linear):
    """Linear modules side by side."""


class _WideConv2d(_OfModules, nn.Conv2d):
    """Convolutions side by side."""


class Aggregated(nn.Module):
    """A layer of N modules: a wide map, a ReLU, and the sum or mean over modules.

    Args:
        wide: the map to ``n * size`` units or channels.
        n: number of modules, N.
        flat: whether the input is flattened.
        aggregate: combines the modules' outputs.
    """

    def __init__(self, wide: nn.Module, n: int, flat: bool, aggregate: Aggregate) -> None:
        super().__init__()
        self.wide, self.n, self.flat, self.aggregate = wide, n, flat, aggregate

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer: ``(batch, size, ...)``."""
        out: Tensor = torch.relu(self.wide(x.flatten(1) if self.flat else x))
        return self.aggregate(torch.unflatten(out, 1, (self.n, -1)))


def trunk(
    kinds: Sequence[ModuleKind], width: int, input_shape: Shape, aggregate: Aggregate
) -> tuple[nn.Module, int]:
    """The layers of a full-width path, and the number of their features.

    Args:
        kinds: the module kind of each layer, ``linear`` or ``conv2d``.
        width: modules per layer, N.
        input_shape: shape of one example.
        aggregate: combines the outputs of a layer's modules.
    """
    layers: list[nn.Module] = []
    shape = input_shape
    for kind in kinds:
        weight = kind.parameter_shapes(shape)["weight"]
        sides, flat = (weight[1], width * weight[0]), len(weight) == 2
        wide: nn.Module
        if flat:
            wide = _WideLinear(kind, width, *sides)
        else:
            options = {"stride": getattr(kind, "stride", 1), "padding": getattr(kind, "padding", 0)}
            wide = _WideConv2d(kind, width, *sides, weight[2:], **options)
        layers.append(Aggregated(wide, width, flat, aggregate))
        shape = kind.output_shape(shape)
    return nn.Sequential(*layers, nn.Flatten()), math.prod(shape)
