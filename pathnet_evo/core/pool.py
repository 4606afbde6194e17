"""The module pool: the shared network that paths are leased from and committed to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from pathnet_evo.core.aggregate import SUM, Aggregate
from pathnet_evo.core.genotype import Path, PathError, PathShape, distinct, join
from pathnet_evo.core.head import Heard, LeasedHead, TaskHead
from pathnet_evo.core.kinds import Affine
from pathnet_evo.core.modules import ModuleKind, Shape
from pathnet_evo.core.network import PathNetwork
from pathnet_evo.core.stack import LeasedStack, Stack

Generators: TypeAlias = Callable[[int], torch.Generator]
"""Gives a layer's generator, so that one layer's draws never depend on another's."""


class ModulePool:
    """L layers of M modules, shared by every path and every task of a sequence.

    Args:
        kinds: the module kind of each layer, input side first.
        modules: number of modules a layer, M.
        input_shape: shape of one example.
        aggregate: how the outputs of a layer's active modules become the layer's output.
        device: where the parameters live.

    Raises:
        ShapeError: a layer cannot take its input.
    """

    def __init__(
        self,
        kinds: Sequence[ModuleKind],
        modules: int,
        input_shape: Shape,
        *,
        aggregate: Aggregate = SUM,
        device: torch.device | str = "cpu",
    ) -> None:
        self.input_shape = tuple(input_shape)
        self.aggregate = aggregate
        self.device = torch.device(device)
        self.layers: list[Stack] = []
        shape = self.input_shape
        for kind in kinds:
            self.layers.append(Stack(kind, shape, modules, device))
            shape = self.layers[-1].output_shape
        self.feature_shape: Shape = shape

    def shape(self, width: int) -> PathShape:
        """The space of paths with at most ``width`` modules per layer, for the current layers."""
        counts = tuple(len(layer) for layer in self.layers)
        return PathShape(len(counts), counts, width)

    def readout(self, outputs: int, generator: torch.Generator) -> Stack:
        """A new readout for a task: a linear map from the last layer's features, never evolved."""
        readout = Stack(Affine(outputs=outputs), self.feature_shape, 1, self.device)
        readout.initialise(generator)
        return readout

    def head(self, outputs: int, generator: torch.Generator) -> TaskHead:
        """A new head without columns: just a readout."""
        return TaskHead(self.layers, self.readout(outputs, generator))

    def frozen_path(self) -> Path:
        """The frozen modules of each layer."""
        return tuple(layer.frozen_modules() for layer in self.layers)

    def active(self, rows: Sequence[Sequence[int]], always_active: bool) -> Path:
        """The path of a genotype, optionally with all frozen modules."""
        path = distinct(rows)
        return join([path, self.frozen_path()]) if always_active else path

    def lease(self, path: Path, head: TaskHead) -> Lease:
        """Copy a path and a head out of the pool, to train and then commit or drop.

        The cost depends on the path, not on M. A lease that is not committed changes nothing.

        Raises:
            PathError: not one set of modules per layer, or a module outside the pool.
        """
        self._check(path)
        layers = [layer.lease(modules) for layer, modules in zip(self.layers, path, strict=True)]
        return Lease(layers, head.lease(layers), self.aggregate)

    def commit(self, lease: Lease) -> Path:
        """Write a trained lease back; see ``Stack.commit`` for leases that overlap.

        Returns:
            The modules of each layer that refused the commit, because they were frozen,
            re-initialised or overwritten after the lease.
        """
        lease.head.commit()
        return tuple(
            layer.commit(leased) for layer, leased in zip(self.layers, lease.layers, strict=True)
        )

    def stacks(self, head: TaskHead) -> list[Stack]:
        """All stacks of the pool and a head, in the order of ``Lease.stacks``."""
        return [*self.layers, *head.stacks]

    def network(
        self,
        path: Path,
        head: TaskHead,
        shift: Tensor | None = None,
        scale: Tensor | None = None,
    ) -> PathNetwork:
        """A plain ``torch.nn.Module`` with copies of a path's weights, for inference.

        Args:
            path: for each layer the active modules.
            head: the task's.
            shift: subtracted from the input; broadcasts against ``input_shape``.
            scale: factor on the shifted input.
        """
        self._check(path)
        stacks = [*self.layers, head.readout]
        return PathNetwork(
            [stack.kind for stack in stacks],
            [
                head.widened(i, stack, modules)
                for i, (stack, modules) in enumerate(zip(stacks, [*path, (0,)], strict=True))
            ],
            path=path,
            input_shape=self.input_shape,
            aggregate=self.aggregate,
            shift=shift,
            scale=scale,
            columns=head.columns,
        )

    def freeze(self, path: Path) -> None:
        """Freeze a path's modules for good (section 2.2, transfer)."""
        self._check(path)
        for layer, modules in zip(self.layers, path, strict=True):
            layer.freeze(modules)

    def initialise(self, generators: Generators, keep_frozen: bool = True) -> None:
        """Re-initialise all modules, or all that are not frozen.

        With ``keep_frozen`` false, frozen modules are thawed and re-initialised as well.
        """
        for i, layer in enumerate(self.layers):
            if not keep_frozen:
                layer.frozen.zero_()
            layer.initialise(generators(i), keep=layer.frozen.clone())

    def duplicate(self, layer: int, source: int, target: int, share: float = 1.0) -> None:
        """Copy a module's weights, or a share of them, onto a free module of the same layer."""
        self.layers[layer].duplicate(source, target, share)

    def grow(self, layer: int, modules: int, generator: torch.Generator) -> None:
        """Append new modules to a layer."""
        self.layers[layer].grow(modules, generator)

    def _check(self, path: Path) -> None:
        if len(path) != len(self.layers) or not all(path):
            raise PathError(f"expected modules for {len(self.layers)} layers, got {path}")


@dataclass
class Lease:
    """A path and a task's head, copied out of the pool for training."""

    layers: list[LeasedStack]
    head: LeasedHead
    aggregate: Aggregate

    @property
    def stacks(self) -> list[LeasedStack]:
        """Everything leased: the path's layers, the readout, the lateral maps."""
        return [*self.layers, *self.head.stacks]

    def forward(self, x: Tensor, heard: Heard = None) -> Tensor:
        """Aggregate the outputs of each layer's active modules, layer by layer, and read out.

        Args:
            x: ``(batch, *input_shape)`` float32.
            heard: outputs of the head's columns for ``x`` (``TaskHead.hear``), if it has any.

        Returns:
            ``(batch, outputs)`` float32.
        """
        for i, layer in enumerate(self.layers):
            x = layer.forward(x, self.aggregate, None if heard is None or not i else heard[i - 1])
        return self.head.readout.forward(x, heard=None if heard is None else heard[-1])

    def parameters(self) -> list[Tensor]:
        """All trainable tensors: the path's free modules and the head."""
        return [
            values
            for stack in self.stacks
            if stack.trainable
            for values in stack.parameters.values()
        ]

    def state(self) -> dict[str, Any]:
        """CPU copies of an untrained lease's tensors."""
        return {
            "path": [sorted(layer.trainable + layer.frozen) for layer in self.layers],
            "stacks": [stack.state() for stack in self.stacks],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Load ``state``, which must be of the same path."""
        for stack, held in zip(self.stacks, state["stacks"], strict=True):
            stack.restore(held)

    def finite(self) -> bool:
        """Whether every trained value is finite."""
        return all(bool(torch.isfinite(p.detach().sum())) for p in self.parameters())
