"""A path as a standalone network, for inference and storage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn

from pathnet_evo.core.aggregate import SUM, Aggregate
from pathnet_evo.core.genotype import Path
from pathnet_evo.core.modules import ModuleKind, Shape, ShapeError
from pathnet_evo.values.html import table

Known: TypeAlias = dict[object, list[Tensor]]
"""Units of paths that were computed already, by ``PathNetwork.key``."""


class PathNetwork(nn.Module):
    """The network of one path and one task's head; without a readout, a path that is only heard.

    Args:
        kinds: the module kind of each layer, then the readout's, if there is one.
        parameters: for each of them by name ``(active modules, *parameter_shape)``; widened where
            columns are heard.
        path: for each layer the active modules, for the record.
        input_shape: shape of one example; needed for what others may hear of the path.
        aggregate: how the outputs of a layer's modules become its output.
        shift: subtracted from the input; broadcasts against one example.
        scale: the shifted input is multiplied with it.
        columns: frozen paths that the task listens to (``Columns``).

    Attributes:
        counts: how many units of a layer's output shape ``units`` gives, layer by layer.
        unit_shapes: the shape of one of these units.
        key: stands for the network where it is heard several times; tracers wrap modules, so that
            ``id`` does not.
    """

    def __init__(
        self,
        kinds: Sequence[ModuleKind],
        parameters: Sequence[dict[str, Tensor]],
        *,
        path: Path,
        input_shape: Shape | None = None,
        aggregate: Aggregate = SUM,
        shift: Tensor | None = None,
        scale: Tensor | None = None,
        columns: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.key = object()
        self.kinds = list(kinds)
        self.path = path
        self.input_shape = None if input_shape is None else tuple(input_shape)
        self.aggregate = aggregate
        self.layers = nn.ModuleList(
            nn.ParameterDict({name: nn.Parameter(p.clone()) for name, p in values.items()})
            for values in parameters
        )
        self.columns = columns
        self.shift: Tensor
        self.scale: Tensor
        self.register_buffer("shift", torch.tensor(0.0) if shift is None else shift.clone())
        self.register_buffer("scale", torch.tensor(1.0) if scale is None else scale.clone())
        self.unit_shapes: list[Shape] = []
        self.counts: list[int] = []
        shape = self.input_shape
        for kind, modules in zip(self.kinds, path, strict=False):
            if shape is None:
                break
            self.counts.append(len(modules) + (type(kind).skip is not ModuleKind.skip))
            shape = kind.output_shape(shape)
            self.unit_shapes.append(shape)

    def __repr__(self) -> str:
        """What it takes, and the number of modules of each layer, on one line."""
        shape = "unknown" if self.input_shape is None else self.input_shape
        modules = ", ".join(str(len(layer)) for layer in self.path)
        heard = "" if self.columns is None else ", listens to columns"
        return f"<{type(self).__name__}: inputs {shape}, {modules} modules a layer{heard}>"

    def _repr_html_(self) -> str:
        rows = (
            (i, type(kind).__name__, ", ".join(map(str, modules)))
            for i, (kind, modules) in enumerate(zip(self.kinds, self.path, strict=False), 1)
        )
        return table(("layer", "kind", "active modules"), rows, repr(self)[1:-1])

    def forward(self, x: Tensor) -> Tensor:
        """Apply the path.

        Args:
            x: ``(batch, *input_shape)`` as the task gives it, uint8 or float32.

        Returns:
            ``(batch, outputs)`` float32: logits, or policy and value.

        Raises:
            ShapeError: examples of another shape than the network was learned on.
        """
        if self.input_shape is not None and tuple(x.shape[1:]) != self.input_shape:
            raise ShapeError(
                f"the network takes (batch, {', '.join(map(str, self.input_shape))}), "
                f"got {tuple(x.shape)}"
            )
        x = (x.float() - self.shift) * self.scale
        heard = None if self.columns is None else self.columns(x)
        for i in range(len(self.kinds)):
            _, x = self._layer(i, x, heard)
        return x if heard is None else self.columns.answer(x, heard)  # type: ignore[operator, union-attr]

    def units(self, x: Tensor, known: Known | None = None) -> list[Tensor]:
        """The units that others can hear: this path's module outputs before aggregation.

        Args:
            x: ``(batch, *input_shape)`` float32, shifted and scaled already.
            known: units of columns that were computed for the same ``x``, by their ``key``.

        Returns:
            For each layer of the pool ``(batch, modules * shape[0], *shape[1:])``.
        """
        heard = None if self.columns is None else self.columns(x, known)
        found = []
        for i in range(len(self.path)):
            outputs, x = self._layer(i, x, heard)
            found.append(outputs.flatten(1, 2))
        return found

    def untrained(self, generator: torch.Generator) -> PathNetwork:
        """The same path with random weights and no columns."""
        shape, drawn = self.input_shape or (), []
        for i, (kind, modules) in enumerate(zip(self.kinds, [*self.path, (0,)], strict=True)):
            shapes = kind.parameter_shapes(shape)
            parameters = {name: torch.zeros(len(modules), *size) for name, size in shapes.items()}
            kind.initialise(parameters, generator)
            drawn.append(parameters)
            shape = self.unit_shapes[i] if i < len(self.unit_shapes) else shape
        return PathNetwork(
            self.kinds,
            drawn,
            path=self.path,
            input_shape=self.input_shape,
            aggregate=self.aggregate,
        ).to(self.shift.device)

    def _layer(self, i: int, x: Tensor, heard: list[Tensor] | None) -> tuple[Tensor, Tensor]:
        """A layer's module outputs, its skip connection, and its own output."""
        kind, parameters = self.kinds[i], dict(self.layers[i].items())  # type: ignore[operator]
        joined = x if heard is None or not i else kind.join(x, heard[i - 1])
        outputs, skipped = kind.forward(joined, parameters), kind.skip(x)
        out = self.aggregate(outputs)
        if skipped is None:
            return outputs, out
        return torch.cat([outputs, skipped.unsqueeze(1)], 1), skipped + out
