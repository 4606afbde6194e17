"""At a worker: the memory of leases, and what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pathnet_evo.core.genotype import Path
from pathnet_evo.core.stack import Stack
from pathnet_evo.engines.protocol import (
    Leased,
    Modules,
    Numbers,
    Parcel,
    cut,
    rows,
    size_of,
)


@dataclass(frozen=True, eq=False)
class Arrived:
    """A lease that has come.

    Args:
        number: the trial's, which names its slot where memory is shared.
        modules: what is leased of each stack.
        memory: float32 numbers, as ``cut`` cuts them; what is trained is written there, too.
        by_value: whether the trial has other memory, and needs to be sent what is committed.
    """

    number: int
    modules: tuple[Modules, ...]
    memory: Tensor
    by_value: bool


class Slots:
    """Leases of a worker, from their arrival until the trial hears what became of them."""

    def __init__(self) -> None:
        self._stacks: Sequence[Stack] = ()
        self._shared: dict[int, Tensor] = {}
        self._copies: dict[tuple[int, int, int], Tensor] = {}
        self._arrived: dict[int, Tensor] = {}
        self._open: set[Arrived] = set()
        self._committed: list[Arrived] = []
        self._dropped: list[int] = []
        self._provided: dict[Path, Arrived] = {}

    def begin(self, stacks: Sequence[Stack]) -> None:
        """A stage begins, with leases of these stacks."""
        self._stacks = stacks
        self._copies.clear()

    def unpack(self, leased: Leased) -> None:
        """Take the weights of a lease, in the order in which leases are sent."""
        match leased.weights:
            case Tensor():
                self._shared[leased.number] = leased.weights
            case Parcel():
                self._arrived[leased.number] = self._unpacked(leased, leased.weights)

    def _unpacked(self, leased: Leased, parcel: Parcel) -> Tensor:
        """The numbers of a parcel, and of copies that it refers to; they are copies, too."""
        for stale in parcel.stale:
            self._copies.pop(stale, None)
        memory = torch.empty(size_of(self._stacks, leased.modules), dtype=torch.float32)
        at = 0
        views = self._rows(memory, leased.modules)
        for s, (modules, places, copies) in enumerate(
            zip(leased.modules, views, parcel.copies, strict=True)
        ):
            chosen = [*modules.trainable, *modules.frozen]
            for module, copy, place in zip(chosen, copies, places, strict=True):
                if copy is None:
                    size = sum(values.numel() for values in place)
                    # A copy: the numbers may be read-only, and would keep the whole parcel alive.
                    numbers = torch.from_numpy(parcel.fresh[at : at + size].copy())
                    at += size
                    self._copies[s, module, leased.number] = numbers
                else:
                    numbers = self._copies[s, module, copy]
                parts = torch.split(numbers, [values.numel() for values in place])
                for values, part in zip(place, parts, strict=True):
                    values.copy_(part.view_as(values))
        return memory

    def _rows(self, memory: Tensor, modules: Sequence[Modules]) -> list[list[list[Tensor]]]:
        """The tensors of each module of each stack, trainable ones first."""
        return [
            [*rows(blocks[0], len(chosen.trainable)), *rows(blocks[1], len(chosen.frozen))]
            for blocks, chosen in zip(cut(memory, self._stacks, modules), modules, strict=True)
        ]

    def provide(self, leases: Sequence[tuple[Path, Leased]]) -> None:
        """Take leases that came with candidates; those that nobody wanted so far are dropped."""
        for arrived in self._provided.values():
            self.drop(arrived)
        self._provided = {}
        for path, answer in leases:
            opened = self.open(answer)
            if path in self._provided:
                self.drop(opened)
            else:
                self._provided[path] = opened

    def provided(self, path: Path) -> Arrived | None:
        """A lease that came with a candidate; it is had once."""
        return self._provided.pop(path, None)

    def open(self, leased: Leased) -> Arrived:
        """A lease, to be worked on."""
        by_value = isinstance(leased.weights, Parcel)
        memory = self._arrived.pop(leased.number) if by_value else self._shared[leased.number]
        arrived = Arrived(leased.number, leased.modules, memory, by_value)
        self._open.add(arrived)
        return arrived

    def commit(self, arrived: Arrived) -> None:
        """The memory of a lease holds what was trained."""
        self._open.remove(arrived)
        self._committed.append(arrived)

    def drop(self, arrived: Arrived) -> None:
        """A lease is no more; one that was not committed is over."""
        if arrived in self._open:
            self._open.remove(arrived)
            self._dropped.append(arrived.number)

    def revoke(self) -> None:
        """Give up what was committed and not yet told, and what nobody leased."""
        self.provide(())
        self._dropped += [arrived.number for arrived in self._committed]
        self._committed = []

    @property
    def waiting(self) -> bool:
        """Whether there is a commit to tell of."""
        return bool(self._committed)

    def settled(self) -> tuple[tuple[tuple[int, Numbers | None], ...], tuple[int, ...]]:
        """Leases that were committed, and that were dropped, since the last call."""
        committed = tuple(
            (arrived.number, self._packed(arrived) if arrived.by_value else None)
            for arrived in self._committed
        )
        dropped = tuple(self._dropped)
        self._committed, self._dropped = [], []
        return committed, dropped

    def _packed(self, arrived: Arrived) -> Numbers:
        """The numbers of the trainable modules; a copy of each is kept."""
        packed: list[Tensor] = []
        views = cut(arrived.memory, self._stacks, arrived.modules)
        for s, ((block, _), chosen) in enumerate(zip(views, arrived.modules, strict=True)):
            packed += [values.reshape(-1) for values in block.values()]
            for module, row in zip(
                chosen.trainable, rows(block, len(chosen.trainable)), strict=True
            ):
                numbers = [values.reshape(-1) for values in row] or [torch.empty(0)]
                self._copies[s, module, -arrived.number] = torch.cat(numbers)
        numbers_sent: Numbers = torch.cat(packed).numpy()
        return numbers_sent
