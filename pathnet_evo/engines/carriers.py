"""At the trial: how leases reach one worker, and how what it trained comes back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from pathnet_evo.core.pool import Lease, ModulePool
from pathnet_evo.core.stack import LeasedStack, Stack
from pathnet_evo.engines.protocol import (
    Block,
    Leased,
    Modules,
    Numbers,
    Parcel,
    cut,
    rows,
    size_of,
    trainable,
)
from pathnet_evo.interfaces.memory import NUMBER

State: TypeAlias = tuple[int, int]
"""A module's incarnation and version: while both stay, so do its weights."""


class Carrier(ABC):
    """Carries the leases of one worker.

    Args:
        count: called with the bytes of weights that travel.

    Attributes:
        open: what the worker has of the pool, by the lease's number.
    """

    def __init__(self, count: Callable[[int], None]) -> None:
        self._count = count
        self.open: dict[int, Lease] = {}

    def begin(self) -> None:  # noqa: B027
        """A stage begins: what the worker has of an earlier one is of no use."""

    def lend(self, lease: Lease, stacks: Sequence[Stack]) -> Leased:
        """What a worker is sent for a lease of these stacks of the pool and the head."""
        modules = _modules(lease)
        leased = self._lend(lease, stacks, modules)
        self.open[leased.number] = lease
        return leased

    @abstractmethod
    def _lend(
        self, lease: Lease, stacks: Sequence[Stack], modules: tuple[Modules, ...]
    ) -> Leased: ...

    def returned(self, number: int, trained: Numbers | None) -> Returned:
        """Take what a worker sent back of a lease."""
        lease = self.open[number]
        held = (_held(stack)[0] for stack in lease.stacks)
        self._count(NUMBER * sum(v.numel() for block in held for v in block.values()))
        return Returned(lease, number, self)

    @abstractmethod
    def fill(self, number: int, stacks: Sequence[Stack]) -> None:
        """Let a lease hold what was trained."""

    def committed(self, number: int, stacks: Sequence[Stack]) -> None:
        """The pool took a lease, or refused it."""
        self.release(number)

    def release(self, number: int) -> None:
        """A lease is over."""
        self.open.pop(number, None)


@dataclass(frozen=True)
class Returned:
    """A trained lease, until it is committed or given up.

    Args:
        lease: what was leased.
        number: the lease's number.
        carrier: what brought it; None where it was kept in a checkpoint, and is filled.
    """

    lease: Lease
    number: int = 0
    carrier: Carrier | None = None

    def fill(self, stacks: Sequence[Stack]) -> Lease:
        """The lease, holding what was trained."""
        if self.carrier is not None:
            self.carrier.fill(self.number, stacks)
        return self.lease

    def commit(self, pool: ModulePool, stacks: Sequence[Stack]) -> bool:
        """Write it to the pool; whether another commit to one of its modules came first."""
        lease = self.fill(stacks)
        overlapped = any(
            not torch.equal(stack.versions[list(leased.trainable)], leased.versions)
            for stack, leased in zip(pool.layers, lease.layers, strict=True)
        )
        pool.commit(lease)
        if self.carrier is not None:
            self.carrier.committed(self.number, stacks)
        return overlapped

    def release(self) -> None:
        """Give it up."""
        if self.carrier is not None:
            self.carrier.release(self.number)


@dataclass
class Slot:
    """Memory that carries one lease to a worker and its training back.

    Args:
        buffer: float32 numbers.
        shared: whether the worker has it already.
    """

    buffer: Tensor
    shared: bool = False


class SharedSlots(Carrier):
    """Slots of memory that the worker shares.

    Args:
        count: called with the bytes of weights that travel.
        allocate: gives memory for so many float32 numbers.
    """

    def __init__(self, count: Callable[[int], None], allocate: Callable[[int], Tensor]) -> None:
        super().__init__(count)
        self._allocate = allocate
        self._slots: dict[int, Slot] = {}
        self._idle: list[int] = []

    def _lend(self, lease: Lease, stacks: Sequence[Stack], modules: tuple[Modules, ...]) -> Leased:
        size = size_of(stacks, modules)
        number = self._slot(size)
        slot = self._slots[number]
        for stack, blocks in zip(lease.stacks, cut(slot.buffer, stacks, modules), strict=True):
            for kept, block in zip(_held(stack), blocks, strict=True):
                for name, values in block.items():
                    values.copy_(kept[name])
        self._count(NUMBER * size)
        buffer = None if slot.shared else slot.buffer
        slot.shared = True
        return Leased(number, modules, buffer)

    def fill(self, number: int, stacks: Sequence[Stack]) -> None:
        """Read what was trained in the slot."""
        lease = self.open[number]
        views = cut(self._slots[number].buffer, stacks, _modules(lease))
        for stack, (block, _) in zip(lease.stacks, views, strict=True):
            hold(stack, block)

    def release(self, number: int) -> None:
        """The slot is free for another lease."""
        if number in self.open:
            super().release(number)
            self._idle.append(number)

    def _slot(self, size: int) -> int:
        """An idle slot that is large enough, or a new one."""
        for number in self._idle:
            if len(self._slots[number].buffer) >= size:
                self._idle.remove(number)
                return number
        capacity = 1 << max(size - 1, 1).bit_length()  # it will do for somewhat larger leases, too
        self._slots[len(self._slots)] = Slot(self._allocate(capacity))
        return len(self._slots) - 1


class Parcels(Carrier):
    """Leases by value: modules that the worker has as they are now do not travel again.

    It has what it received, and what it returned where the pool took exactly that.
    """

    def __init__(self, count: Callable[[int], None]) -> None:
        super().__init__(count)
        self._leases = 0
        self._copies: dict[tuple[int, int], tuple[State, int]] = {}
        self._stale: list[tuple[int, int, int]] = []
        self._trained: dict[int, Numbers] = {}

    def begin(self) -> None:
        """Other stacks: the worker forgets its copies."""
        self._copies.clear()
        self._stale.clear()

    def _lend(self, lease: Lease, stacks: Sequence[Stack], modules: tuple[Modules, ...]) -> Leased:
        self._leases += 1
        copies, fresh = [], []
        for s, (stack, leased) in enumerate(zip(stacks, lease.stacks, strict=True)):
            chosen = leased.trainable, leased.frozen
            held = [r for b, m in zip(_held(leased), chosen, strict=True) for r in rows(b, len(m))]
            found = [self._found(s, m, _state(stack, m)) for part in chosen for m in part]
            copies.append(tuple(found))
            for values, copy in zip(held, found, strict=True):
                fresh += [] if copy is not None else [value.reshape(-1) for value in values]
        stale, self._stale = tuple(self._stale), []
        numbers = torch.cat(fresh).detach().cpu().numpy() if fresh else np.empty(0, np.float32)
        self._count(numbers.nbytes)
        return Leased(self._leases, modules, Parcel(tuple(copies), numbers, stale))

    def _found(self, stack: int, module: int, state: State) -> int | None:
        """The worker's copy of a module as it is now; None, and it will have one."""
        known = self._copies.get((stack, module))
        if known is not None and known[0] == state:
            return known[1]
        self._keep(stack, module, state, self._leases)
        return None

    def _keep(self, stack: int, module: int, state: State, copy: int) -> None:
        """The worker has another copy, and needs the one before no more."""
        before = self._copies.get((stack, module))
        self._copies[stack, module] = state, copy
        if before is not None:
            self._stale.append((stack, module, before[1]))

    def returned(self, number: int, trained: Numbers | None) -> Returned:
        """Keep what came until it is committed."""
        assert trained is not None
        self._trained[number] = trained
        return super().returned(number, trained)

    def fill(self, number: int, stacks: Sequence[Stack]) -> None:
        """Read what came back."""
        lease = self.open[number]
        # The numbers may be read-only, as those of shared memory are; nobody writes to a lease's.
        values = torch.from_numpy(self._trained[number].copy())
        for stack, (block, _) in zip(
            lease.stacks, cut(values, stacks, trainable(_modules(lease))), strict=True
        ):
            hold(stack, block)

    def committed(self, number: int, stacks: Sequence[Stack]) -> None:
        """What the pool took as it was, the worker has."""
        lease = self.open[number]
        for s, (stack, leased) in enumerate(zip(stacks, lease.stacks, strict=True)):
            for i, module in enumerate(leased.trainable):
                before = int(leased.incarnations[i]), int(leased.versions[i])
                state = _state(stack, module)
                if state == (before[0], before[1] + 1):
                    self._keep(s, module, state, -number)
                else:
                    self._stale.append((s, module, -number))
        del self._trained[number]
        self.release(number)

    def release(self, number: int) -> None:
        """The worker's copies of what it returned in vain are stale."""
        if self._trained.pop(number, None) is not None:
            for s, leased in enumerate(self.open[number].stacks):
                self._stale += [(s, module, -number) for module in leased.trainable]
        super().release(number)


def _modules(lease: Lease) -> tuple[Modules, ...]:
    return tuple(Modules(stack.trainable, stack.frozen) for stack in lease.stacks)


def _state(stack: Stack, module: int) -> State:
    return int(stack.incarnations[module]), int(stack.versions[module])


def _held(stack: LeasedStack) -> tuple[Block, Block]:
    """What a lease holds of its trainable and frozen modules, in the order in which it travels."""
    return {**stack.leased, **stack.statistics}, stack.frozen_parameters


def hold(stack: LeasedStack, values: Block) -> None:
    """Let a leased stack hold what was trained."""
    stack.parameters = {n: values[n].to(before.device) for n, before in stack.leased.items()}
    stack.statistics = {n: values[n].to(before.device) for n, before in stack.statistics.items()}
