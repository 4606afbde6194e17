"""Columns: frozen paths that a task listens to, each undisturbed by what the task trains.

The name is that of progressive networks (Rusu et al. 2016). A column computes its own features from
the input; what the task hears of it are its modules' outputs, layer by layer, before they are
aggregated, each unit standardised on the task's own training inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pathnet_evo.modules import Shape
from pathnet_evo.network import PathNetwork

ENERGY = 60.0
"""Sum of the mean squares of all units that one receiving unit hears; see ``Columns.fit``."""
AT_ONCE = 500
"""Examples in one forward pass."""


class Columns(nn.Module):
    """The frozen paths that one task listens to.

    Args:
        stages: the stage in which each was learned, ascending.
        networks: the path of each, without shift and scale of its own inputs.

    Attributes:
        shapes: for each layer the shape of all columns' units together.
    """

    def __init__(self, stages: Sequence[int], networks: Sequence[PathNetwork]) -> None:
        super().__init__()
        self.stages = tuple(stages)
        self.networks = nn.ModuleList(networks)
        self.requires_grad_(False)
        counts = [sum(network.counts[i] for network in networks) for i in range(self.layers)]
        each = networks[0].unit_shapes
        self.shapes: list[Shape] = [
            (n * shape[0], *shape[1:]) for n, shape in zip(counts, each, strict=True)
        ]
        for i, shape in enumerate(self.shapes):
            ones = torch.ones(shape[0], *[1] * (len(shape) - 1))
            self.register_buffer(f"shift_{i}", torch.zeros_like(ones))
            self.register_buffer(f"scale_{i}", ones)

    @property
    def layers(self) -> int:
        """Number of layers."""
        return len(self.networks[0].unit_shapes)  # type: ignore[arg-type]

    @torch.no_grad()
    def fit(self, inputs: Tensor, fans: Sequence[int | None]) -> None:
        """Standardise what is heard on a task's inputs.

        A unit is centred by its mean. A layer's units are divided by one number, so that a unit
        that hears them all hears ``ENERGY``: the sum of its inputs' mean squares, to which the
        largest stable step of gradient descent is inverse, is then the same whatever the columns'
        scale, their number and the layer's fan-in. Units keep their sizes relative to each other:
        those that hardly ever speak are not blown up to noise.

        Args:
            inputs: ``(examples, *input_shape)`` float32, prepared as for the network.
            fans: for each layer how many inputs one receiving unit hears; None where nobody does.
        """
        sums = [torch.zeros(s[0], dtype=torch.float64, device=inputs.device) for s in self.shapes]
        squares, seen = [torch.zeros_like(total) for total in sums], [0] * len(sums)
        for x in torch.split(inputs, AT_ONCE):
            for i, units in enumerate(self.raw(x)):
                by_unit = units.double().transpose(0, 1).flatten(1)
                sums[i] += by_unit.sum(1)
                squares[i] += by_unit.square().sum(1)
                seen[i] += by_unit.shape[1]
        for i, fan in enumerate(fans):
            mean = sums[i] / seen[i]
            variance = (squares[i] / seen[i] - mean.square()).clamp(min=0).mean()
            factor = 0.0 if fan is None or variance < 1e-12 else (ENERGY / fan / variance) ** 0.5
            shift, scale = getattr(self, f"shift_{i}"), getattr(self, f"scale_{i}")
            shift.copy_(mean.view_as(shift))
            scale.fill_(factor)

    def raw(self, x: Tensor, known: dict[int, list[Tensor]] | None = None) -> list[Tensor]:
        """What the columns say, as it is: for each layer ``(batch, *shape)``.

        Args:
            x: ``(batch, *input_shape)`` float32, prepared as for the network.
            known: units by network of columns that were computed for the same ``x``.
        """
        known = {} if known is None else known
        for network in self.networks:
            if id(network) not in known:
                known[id(network)] = network.units(x, known)  # type: ignore[operator]
        each = [known[id(network)] for network in self.networks]
        return [torch.cat(units, 1) for units in zip(*each, strict=True)]

    def forward(self, x: Tensor, known: dict[int, list[Tensor]] | None = None) -> list[Tensor]:
        """What the task hears: for each layer ``(batch, *shape)``, standardised."""
        return [
            (units - getattr(self, f"shift_{i}")) * getattr(self, f"scale_{i}")
            for i, units in enumerate(self.raw(x, known))
        ]

    def state(self) -> dict[str, Any]:
        """Which stages, and the statistics."""
        return {
            "stages": list(self.stages),
            "shift": [getattr(self, f"shift_{i}") for i in range(self.layers)],
            "scale": [getattr(self, f"scale_{i}") for i in range(self.layers)],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Standardise as ``state`` says."""
        for part in ("shift", "scale"):
            for i, values in enumerate(state[part]):
                getattr(self, f"{part}_{i}").copy_(values)
