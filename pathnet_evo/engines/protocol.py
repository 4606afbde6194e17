"""What a trial and its workers say to each other, and the memory that carries weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pathnet_evo.core.columns import Columns
from pathnet_evo.core.genotype import Path
from pathnet_evo.core.modules import ModuleKind, Shape
from pathnet_evo.core.stack import Stack
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.budget import Budget
from pathnet_evo.interfaces.evaluations import Candidate, Evaluation
from pathnet_evo.interfaces.learners import Learner


class Modules(NamedTuple):
    """The modules of one layer that a lease holds."""

    trainable: tuple[int, ...]
    frozen: tuple[int, ...]


Block: TypeAlias = dict[str, Tensor]
"""Some modules' parameters by name, ``(modules, *parameter_shape)``."""
Numbers: TypeAlias = NDArray[np.float32]
"""Weights as they travel by value: flat, and exactly those that are meant."""


@dataclass(frozen=True)
class StageBegins:
    """To a worker: what it needs to make an evaluator; ``round`` is that of the stage's start."""

    round: int
    learner: Learner
    task: Any
    kinds: tuple[ModuleKind, ...]
    input_shape: Shape
    aggregate: str
    counts: tuple[int, ...]
    frozen: Path
    readout: ModuleKind
    columns: Columns | None
    carried: tuple[dict[str, Shape], ...]
    device: str
    streams: Streams
    always_active: bool
    budget: Budget


@dataclass(frozen=True)
class Cancel:
    """To a worker: give up everything; what comes from now on belongs to ``round``."""

    round: int


@dataclass(frozen=True)
class Parcel:
    """A lease by value: what the worker lacks, and where it has the rest.

    A worker keeps the modules of lease ``n`` as it received them as copy ``n``, and as it returned
    them as copy ``-n``.

    Args:
        copies: of each stack and module, the copy that holds its weights; None where they are in
            ``fresh``.
        fresh: the other modules' weights, module by module.
        stale: copies that are not needed any more: stack, module, copy.
    """

    copies: tuple[tuple[int | None, ...], ...]
    fresh: Numbers
    stale: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Leased:
    """To a worker: the weights of a lease.

    Args:
        number: the lease; one that shares memory has the number of its slot.
        modules: what is leased of each of the stacks that a path and a head consist of.
        weights: the slot's memory, None where the worker shares it already; or a parcel.
    """

    number: int
    modules: tuple[Modules, ...]
    weights: Tensor | Parcel | None


@dataclass(frozen=True)
class Submit:
    """To a worker: candidates to train, submitted together before it advances.

    Args:
        candidates: what to train.
        leases: of each the path that its genotype stands for, and its weights, so that a learner
            that leases just this path need not ask.
        used: how much of the stage's budget is used.
    """

    candidates: tuple[Candidate, ...]
    leases: tuple[tuple[Path, Leased], ...]
    used: int


@dataclass(frozen=True)
class Refused:
    """To a worker: what it asked for cannot be leased."""

    error: str


@dataclass(frozen=True)
class Ready:
    """From a worker: the stage that began with ``round`` can be worked on."""

    round: int
    capacity: int


@dataclass(frozen=True)
class LeaseWanted:
    """From a worker: it waits for the weights of a path."""

    round: int
    path: Path


@dataclass(frozen=True)
class Trained:
    """From a worker: an evaluation and what it trained come together, or not at all.

    Args:
        round: the round that it belongs to.
        evaluations: those that are over.
        committed: leases that were trained, to be written to the pool, and the weights of their
            trainable modules where memory is not shared.
        dropped: leases that are given up.
        free: the evaluator's free slots.
        taken: how many candidates of this round it has been given; later ones are not in ``free``.
        waited: seconds for which the worker had nothing to do since its last report.
    """

    round: int
    evaluations: tuple[Evaluation, ...]
    committed: tuple[tuple[int, Numbers | None], ...]
    dropped: tuple[int, ...]
    free: int
    taken: int
    waited: float


def size_of(stacks: Sequence[Stack], modules: Sequence[Modules]) -> int:
    """How many numbers a lease is."""
    return sum(
        len(chosen) * math.prod(values.shape[1:])
        for stack, of_stack in zip(stacks, modules, strict=True)
        for chosen, held in zip(of_stack, (stack.leasable, stack.parameters), strict=True)
        for values in held.values()
    )


def cut(
    buffer: Tensor, stacks: Sequence[Stack], modules: Sequence[Modules]
) -> list[tuple[Block, Block]]:
    """Views of a lease's memory: each stack's trainable and frozen modules."""
    views, at = [], 0
    for stack, of_stack in zip(stacks, modules, strict=True):
        blocks: list[Block] = []
        for chosen, held in zip(of_stack, (stack.leasable, stack.parameters), strict=True):
            block: Block = {}
            for name, values in held.items():
                shape = (len(chosen), *values.shape[1:])
                block[name] = buffer[at : at + math.prod(shape)].view(shape)
                at += math.prod(shape)
            blocks.append(block)
        views.append((blocks[0], blocks[1]))
    return views


def trainable(modules: Sequence[Modules]) -> tuple[Modules, ...]:
    """The part of a lease that comes back."""
    return tuple(Modules(of_stack.trainable, ()) for of_stack in modules)


def rows(block: Block, n: int) -> list[list[Tensor]]:
    """The tensors of each of the ``n`` modules of a block."""
    return [[values[i] for values in block.values()] for i in range(n)]
