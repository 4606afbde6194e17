"""What a trial and its workers say to each other, and the memory that carries weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from torch import Tensor

from pathnet_evo.core.columns import Columns
from pathnet_evo.core.genotype import Path
from pathnet_evo.core.modules import ModuleKind, Shape
from pathnet_evo.core.stack import Stack
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.budget import Budget
from pathnet_evo.interfaces.learners import Candidate, Evaluation, Learner


class Modules(NamedTuple):
    """The modules of one layer that a lease holds."""

    trainable: tuple[int, ...]
    frozen: tuple[int, ...]


Block: TypeAlias = dict[str, Tensor]
"""Some modules' parameters by name, ``(modules, *parameter_shape)``."""


@dataclass(frozen=True)
class StageBegins:
    """To a worker: what it needs to make an evaluator.

    ``round`` is that of the stage's start; ``by_value`` says that memory is not shared.
    """

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
    by_value: bool


@dataclass(frozen=True)
class Cancel:
    """To a worker: give up everything; what comes from now on belongs to ``round``."""

    round: int


@dataclass(frozen=True)
class Leased:
    """To a worker: the weights that it asked for lie in a slot.

    Args:
        slot: the slot's number.
        buffer: its memory; None where the worker shares it already.
        modules: what lies there of each of the stacks that a path and a head consist of.
    """

    slot: int
    buffer: Tensor | None
    modules: tuple[Modules, ...]


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
        committed: slots that hold trained weights, to be written to the pool, and their memory
            where it is not shared.
        dropped: slots of leases that are given up.
        free: the evaluator's free slots.
        taken: how many candidates of this round it has been given; later ones are not in ``free``.
    """

    round: int
    evaluations: tuple[Evaluation, ...]
    committed: tuple[tuple[int, Tensor | None], ...]
    dropped: tuple[int, ...]
    free: int
    taken: int


@dataclass
class Slot:
    """Memory that carries one lease to a worker and its training back.

    Args:
        number: which of the worker's slots it is.
        buffer: float32 numbers.
        shared: whether the worker has the same memory.
    """

    number: int
    buffer: Tensor
    shared: bool = False


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
    """Views of a slot's memory: each stack's trainable and frozen modules."""
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
