"""A task's head: everything trainable that belongs to one task and is never shared or evolved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pathnet_evo.core.columns import ENERGY, Columns
from pathnet_evo.core.kinds import Lateral
from pathnet_evo.core.modules import ShapeError
from pathnet_evo.core.stack import LeasedStack, Stack

Heard = list[Tensor] | None
"""The units that a head hears from its columns, for each layer ``(batch, *shape)``, or None."""


class TaskHead:
    """A readout and, if the task listens to frozen paths, its columns and lateral maps.

    The task owns a map from each layer's frozen units into every module of the next layer, leased
    with that module, and one from the last layer's units into the readout (Rusu et al. 2016). All
    maps start at zero.

    Args:
        layers: the pool's layers.
        readout: a linear map from the last layer's features; one module.
        columns: the frozen paths to listen to.

    Attributes:
        laterals: for each layer of the pool, and then for the readout, the maps into its modules,
            or None.

    Raises:
        ShapeError: modules of a kind cannot hear frozen units.
    """

    def __init__(
        self, layers: Sequence[Stack], readout: Stack, columns: Columns | None = None
    ) -> None:
        self.readout = readout
        self.columns = columns
        self.laterals: list[Stack | None] = [None] * (len(layers) + 1)
        if columns is None:
            return
        for i, stack in enumerate([*layers, readout]):
            if i == 0:
                continue
            source = columns.shapes[i - 1]
            shape = stack.kind.lateral_shape(source, stack.input_shape)
            if shape is None:
                raise ShapeError(
                    f"modules of kind {type(stack.kind).__name__} cannot hear frozen units of "
                    f'shape {source}: set transfer.connect = "named" or "sum"'
                )
            self.laterals[i] = Stack(Lateral(shape=shape), source, len(stack), readout.device)

    def __repr__(self) -> str:
        heard = "" if self.columns is None else f", listening to {self.columns.stages}"
        return f"TaskHead({self.readout.kind!r}{heard})"

    def with_readout(self, layers: Sequence[Stack], readout: Stack) -> TaskHead:
        """A head that hears the same columns through the same maps, with another readout.

        The readout's own map from the columns starts at zero.

        Args:
            layers: the pool's layers.
            readout: the other readout.
        """
        columns = None if self.columns is None else self.columns.without_fitted()
        head = TaskHead(layers, readout, columns)
        head.laterals = [*self.laterals[:-1], head.laterals[-1]]
        return head

    @property
    def stacks(self) -> list[Stack]:
        """Everything trainable, the readout first; in the order of ``LeasedHead.stacks``."""
        return [self.readout, *(stack for stack in self.laterals if stack is not None)]

    def fit(self, inputs: Tensor, homes: Sequence[Tensor] = (), energy: float = ENERGY) -> None:
        """Standardise the columns' units; see ``Columns.fit``.

        Args:
            inputs: ``(examples, *input_shape)`` float32, of the task, prepared for the network.
            homes: for each column, inputs of the task that it learned.
            energy: sum of the mean squares of what one unit hears.
        """
        if self.columns is not None:
            self.columns.to(inputs.device)
            fans = [None if s is None else _fan(s) for s in self.laterals[1:]]
            self.columns.fit(inputs, fans, homes, energy)

    def hear(self, x: Tensor) -> Heard:
        """What the columns say of ``x``, ``(batch, *input_shape)`` float32, prepared."""
        if self.columns is None:
            return None
        with torch.no_grad():
            return list(self.columns(x))

    def lease(self, layers: Sequence[LeasedStack]) -> LeasedHead:
        """Take the readout and the maps into leased modules; the leases get their maps."""
        readout = self.readout.lease((0,))
        for stack, leased in zip(self.laterals, [*layers, readout], strict=True):
            if stack is not None:
                leased.lateral = stack.lease(leased.trainable)
        return LeasedHead(self, readout, [leased.lateral for leased in [*layers, readout]])

    def widened(self, i: int, stack: Stack, modules: Sequence[int]) -> dict[str, Tensor]:
        """Copies of some modules' parameters, with the maps that lead into them joined.

        Args:
            i: index of the layer; ``len(layers)`` for the readout.
            stack: the layer.
            modules: which of its modules.
        """
        parameters, lateral = stack.gather(modules), self.laterals[i]
        if lateral is None:
            return parameters
        return stack.kind.widen(parameters, lateral.gather(modules)["weight"])

    def duplicate(self, layer: int, source: int, target: int) -> None:
        """What leads into a module that became a copy is a copy as well."""
        if (stack := self.laterals[layer]) is not None:
            stack.duplicate(source, target)

    def state(self) -> dict[str, Any]:
        """Plain data, and tensors in place of any value, that ``restore`` takes."""
        return {
            "readout": self.readout.state(),
            "laterals": [stack and stack.state() for stack in self.laterals],
            "columns": self.columns and self.columns.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Become the head that ``state`` was taken of, which listened to the same columns."""
        self.readout.restore(state["readout"])
        for stack, kept in zip(self.laterals, state.get("laterals") or [], strict=False):
            if stack is not None:
                stack.restore(kept)
        if self.columns is not None:
            self.columns.restore(state["columns"])


class LeasedHead:
    """A head's readout and the maps into leased modules, out to be trained.

    Args:
        head: what it was leased from.
        readout: the readout.
        laterals: for each layer and the readout the maps into the modules that may be trained.
    """

    def __init__(
        self, head: TaskHead, readout: LeasedStack, laterals: Sequence[LeasedStack | None]
    ) -> None:
        self.head, self.readout, self.laterals = head, readout, list(laterals)

    @property
    def stacks(self) -> list[LeasedStack]:
        """The readout and the maps, in the order of ``TaskHead.stacks``."""
        return [self.readout, *(lease for lease in self.laterals if lease is not None)]

    def commit(self) -> None:
        """Write back what was trained."""
        for stack, leased in zip(self.head.stacks, self.stacks, strict=True):
            stack.commit(leased)


def _fan(stack: Stack) -> int:
    """How many inputs one unit hears through the maps of a stack."""
    return stack.parameters["weight"][0, 0].numel()
