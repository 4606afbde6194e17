"""Columns: frozen paths that a task listens to and never changes.

The name comes from progressive networks (Rusu et al. 2016). A column computes its own features from
the input. The task hears its modules' outputs, layer by layer, before aggregation, with each unit
standardised on the task's training inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from pathnet_evo.core.fitted import FittedReadout
from pathnet_evo.core.modules import Shape
from pathnet_evo.core.network import Known, PathNetwork

ENERGY = 60.0
"""Sum of the mean squares of all units that one receiving unit hears; see ``Columns.fit``."""
AT_ONCE = 500
"""Examples in one forward pass."""


class Columns(nn.Module):
    """The frozen paths that one task listens to.

    Args:
        stages: the stage that learned each column, ascending.
        networks: the path of each column, without its input shift and scale.

    Attributes:
        shapes: for each layer the shape of all columns' units together.
        fitted: a readout of their units in closed form, if the task has one.
    """

    fitted: FittedReadout | None

    def __init__(self, stages: Sequence[int], networks: Sequence[PathNetwork]) -> None:
        super().__init__()
        self.stages = tuple(stages)
        self.networks = nn.ModuleList(networks)
        self.requires_grad_(False)
        self.fitted = None
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
    def fit(
        self,
        inputs: Tensor,
        fans: Sequence[int | None],
        homes: Sequence[Tensor] = (),
        energy: float = ENERGY,
    ) -> None:
        """Standardise the columns' units on a task's inputs.

        Each unit is centred by its mean. A column's units in a layer share one divisor, chosen so
        that a unit that hears all of them hears ``energy``. The sum of its inputs' mean squares,
        which bounds the largest stable step of gradient descent, then depends neither on the
        columns' scale nor on the layer's fan-in. The divisor is the units' deviation on the task's
        inputs or on the column's original inputs, whichever is larger: units that barely respond to
        the new task are not amplified, and units that respond too strongly are attenuated. The
        relative sizes of units are preserved.

        Args:
            inputs: ``(examples, *input_shape)`` float32, prepared for the network.
            fans: for each layer the number of inputs of one receiving unit; None without receivers.
            homes: for each column inputs of the task that it learned, prepared likewise.
            energy: sum of the mean squares of what one receiving unit hears.
        """
        here = [_moments(network, inputs) for network in self.networks]  # type: ignore[arg-type]
        home = [
            _moments(network, x)  # type: ignore[arg-type]
            for network, x in zip(self.networks, homes, strict=False)
        ] or here
        for i, fan in enumerate(fans):
            shift, scale = getattr(self, f"shift_{i}"), getattr(self, f"scale_{i}")
            shift.copy_(torch.cat([mean for mean, _ in (c[i] for c in here)]).view_as(shift))
            factors = []
            for (mean, there), (_, then) in zip(
                (c[i] for c in here), (c[i] for c in home), strict=True
            ):
                heard = float(max(there, then)) * (fan or 0)
                factors.append(torch.full_like(mean, (energy / heard) ** 0.5 if heard else 0.0))
            scale.copy_(torch.cat(factors).view_as(scale))

    def raw(self, x: Tensor, known: Known | None = None) -> list[Tensor]:
        """The columns' units without standardisation: for each layer ``(batch, *shape)``.

        Args:
            x: ``(batch, *input_shape)`` float32, prepared for the network.
            known: units, by the networks' keys, that were already computed for the same ``x``.
        """
        known = {} if known is None else known
        for network in self.networks:
            if network.key not in known:
                known[network.key] = network.units(x, known)  # type: ignore[operator]
        each = [known[network.key] for network in self.networks]
        return [torch.cat(units, 1) for units in zip(*each, strict=True)]

    def forward(self, x: Tensor, known: Known | None = None) -> list[Tensor]:
        """The standardised units that the task hears: for each layer ``(batch, *shape)``."""
        return [
            (units - getattr(self, f"shift_{i}")) * getattr(self, f"scale_{i}")
            for i, units in enumerate(self.raw(x, known))
        ]

    def answer(self, logits: Tensor, heard: Sequence[Tensor]) -> Tensor:
        """Logits of the task, from those of its trained readout and from what the columns say.

        Args:
            logits: ``(batch, outputs)``.
            heard: as ``forward`` gives it.
        """
        return logits if self.fitted is None else self.fitted(logits, heard)

    def without_fitted(self) -> Columns:
        """The same columns for another readout."""
        columns = Columns(self.stages, [*self.networks])
        columns.to(self.get_buffer("shift_0").device)
        columns.restore({**self.state(), "fitted": None})
        return columns

    def state(self) -> dict[str, Any]:
        """The stages, the statistics, and the fitted readout, if there is one."""
        return {
            "stages": list(self.stages),
            "shift": [getattr(self, f"shift_{i}") for i in range(self.layers)],
            "scale": [getattr(self, f"scale_{i}") for i in range(self.layers)],
            "fitted": self.fitted and self.fitted.state(),
        }

    def restore(self, state: dict[str, Any], outputs: int | None = None) -> None:
        """Load the statistics and the fitted readout of ``state``.

        Args:
            state: what ``state`` gave.
            outputs: number of logits of the task; None for those that the fitted readout has.

        Raises:
            ValueError: the fitted readout is another one's.
        """
        for part in ("shift", "scale"):
            for i, values in enumerate(state[part]):
                getattr(self, f"{part}_{i}").copy_(values)
        self.fitted = None
        if (fitted := state.get("fitted")) is not None:
            self.fitted = FittedReadout.of(fitted, self.shapes, outputs)
            self.fitted.to(self.get_buffer("shift_0").device)


def _moments(network: PathNetwork, inputs: Tensor) -> list[tuple[Tensor, Tensor]]:
    """For each layer the mean of each unit, and the mean variance of all, over some inputs."""
    found: list[tuple[Tensor, Tensor, int]] = []
    for x in torch.split(inputs, AT_ONCE):
        units = [u.double().transpose(0, 1).flatten(1) for u in network.units(x)]
        sums = [(u.sum(1), u.square().sum(1), u.shape[1]) for u in units]
        found = (
            [(a + c, b + d, n + m) for (a, b, n), (c, d, m) in zip(found, sums, strict=True)]
            if found
            else sums
        )
    return [(a / n, (b / n - (a / n).square()).clamp(min=0).mean()) for a, b, n in found]
