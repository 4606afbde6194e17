"""A plain torch module of the size of a full-width path, as rivals have it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pathnet_evo import ModuleKind, Shape


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
    if method == "progressive" and len({kind.output_shape((1,)) for kind in kinds}) > 1:
        raise ValueError("progressive has equal units in all layers only: leave the arm out")


class Summed(nn.Module):
    """A layer of N modules: a wide map, a ReLU, and the sum over modules.

    Args:
        wide: the map to ``n * size`` units or channels.
        n: number of modules, N.
        flat: whether the input is flattened.
    """

    def __init__(self, wide: nn.Module, n: int, flat: bool) -> None:
        super().__init__()
        self.wide, self.n, self.flat = wide, n, flat

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer: ``(batch, size, ...)``."""
        out: Tensor = torch.relu(self.wide(x.flatten(1) if self.flat else x))
        return out.view(len(out), self.n, -1, *out.shape[2:]).sum(1)


def trunk(kinds: Sequence[ModuleKind], width: int, input_shape: Shape) -> tuple[nn.Module, int]:
    """The layers of a full-width path, and the number of their features.

    Args:
        kinds: the module kind of each layer, ``linear`` or ``conv2d``.
        width: modules per layer, N.
        input_shape: shape of one example.
    """
    layers: list[nn.Module] = []
    shape = input_shape
    for kind in kinds:
        weight = kind.parameter_shapes(shape)["weight"]
        if len(weight) == 2:
            layers.append(Summed(nn.Linear(weight[1], width * weight[0]), width, flat=True))
        else:
            wide = nn.Conv2d(
                weight[1],
                width * weight[0],
                weight[2:],  # type: ignore[arg-type]
                stride=getattr(kind, "stride", 1),
                padding=getattr(kind, "padding", 0),
            )
            layers.append(Summed(wide, width, flat=False))
        shape = kind.output_shape(shape)
    return nn.Sequential(*layers, nn.Flatten()), math.prod(shape)
