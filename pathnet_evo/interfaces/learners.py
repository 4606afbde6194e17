"""Learner contracts: who trains a path, and how evolution hears of it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor
from typing_extensions import TypeVar

from pathnet_evo.core.genotype import Path, Rows
from pathnet_evo.core.head import TaskHead
from pathnet_evo.core.modules import Shape
from pathnet_evo.core.network import PathNetwork
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.stack import Stack
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.budget import Budget
from pathnet_evo.interfaces.policies import Connect
from pathnet_evo.interfaces.tasks import SupervisedTask, Task
from pathnet_evo.values.numbers import named, whole

TaskT = TypeVar("TaskT", bound=Task, default=Any)
"""The task contract that a learner learns."""


@dataclass(frozen=True)
class Candidate:
    """A genotype that a strategy wants evaluated.

    Args:
        id: unique within a stage, ascending.
        slot: its index in the population.
        genotype: L rows of N integers, as tuples.
        parent: the candidate id whose mutated copy this is; None for a random genotype.
        batches: equal keys mean equal minibatches.
    """

    id: int
    slot: int
    genotype: Rows
    parent: int | None
    batches: int

    def state(self) -> dict[str, Any]:
        """Plain data, by the names that the lineage has."""
        return {
            "id": self.id,
            "place": self.slot,
            "genotype": [list(row) for row in self.genotype],
            "parent": self.parent,
            "batches": self.batches,
        }

    @classmethod
    def of(cls, state: Mapping[str, Any] | Sequence[Any]) -> Candidate:
        """The candidate that ``state`` was taken of; earlier versions kept its values as a list."""
        if not isinstance(state, Mapping):
            names = ("id", "place", "genotype", "parent", "batches")
            state = dict(zip(names, state, strict=True))
        rows = tuple(tuple(whole(gene) for gene in row) for row in state["genotype"])
        return cls(state["id"], state["place"], rows, state["parent"], state["batches"])


@dataclass(frozen=True)
class Evaluation:
    """What became of a candidate; numbers of any type, such as NumPy's, become Python's.

    Args:
        candidate: the one that was submitted.
        fitness: finite, larger is better; None where the evaluation failed.
        cause: why it failed; None where it did not.
        examples: training examples or frames that it used.
        seconds: wall-clock time; kept apart from what must repeat.
        metrics: further numbers to show, such as the loss.
    """

    candidate: Candidate
    fitness: float | None
    cause: str | None = None
    examples: int = 0
    seconds: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        fitness = None if self.fitness is None else float(self.fitness)
        object.__setattr__(self, "fitness", fitness)
        object.__setattr__(self, "examples", whole(self.examples))
        object.__setattr__(self, "seconds", float(self.seconds))
        object.__setattr__(self, "metrics", named(self.metrics))

    def checked(self) -> Evaluation:
        """The same, but one whose fitness is not finite is one that failed."""
        if self.fitness is None or math.isfinite(self.fitness):
            return self
        return replace(self, fitness=None, cause=f"the fitness is {self.fitness}")

    @property
    def failed(self) -> bool:
        """Whether there is no fitness: such an evaluation never reaches DEAP."""
        return self.fitness is None

    @property
    def state(self) -> str:
        """``OK`` or ``FAILED``."""
        return "FAILED" if self.failed else "OK"


@dataclass(frozen=True)
class Episode:
    """An episode that was played while a candidate was trained; its numbers become Python's.

    Args:
        candidate: the candidate's id.
        slot: its index in the population.
        score: the sum of its raw rewards.
        frames: how long it was.
        at: frames that all candidates of the stage had used by the time it ended.
    """

    candidate: int
    slot: int
    score: float
    frames: int
    at: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "score", float(self.score))
        for name in ("candidate", "slot", "frames", "at"):
            object.__setattr__(self, name, whole(getattr(self, name)))


class Evaluator(ABC):
    """Trains candidates on a pool; how many at once is its own business."""

    @property
    @abstractmethod
    def free(self) -> int:
        """How many candidates may be submitted now."""

    @abstractmethod
    def submit(self, candidate: Candidate) -> None:
        """Take a candidate on."""

    @abstractmethod
    def advance(self) -> list[Evaluation]:
        """Work for a while; return the evaluations that are over, perhaps none."""

    @abstractmethod
    def cancel(self) -> None:
        """Give up all that was submitted and is not over.

        The pool is as if it never was; where a learner trains it in place, what was trained stays.
        """

    @property
    def used(self) -> int | None:
        """Examples or frames used in this stage so far, by what is in flight as well.

        None where they are used all at once, when an evaluation is over.
        """
        return None

    def take_episodes(self) -> list[Episode]:
        """Episodes that ended since the last call, in order; none where there are no episodes."""
        return []

    def state(self) -> dict[str, Any]:
        """What to go on from, apart from the pool; nothing where nothing is in flight.

        Plain data as JSON has it, and tensors in place of any value.
        """
        return {}

    def restore(self, state: dict[str, Any]) -> None:  # noqa: B027
        """Go on from ``state``."""

    def close(self) -> None:  # noqa: B027
        """Give back what is held; may be called twice."""


@dataclass(frozen=True)
class LearningContext(Generic[TaskT]):
    """What a learner works on during one stage.

    Args:
        pool: the shared modules.
        head: what the task owns: its readout and, where it listens to columns, lateral maps.
        task: what to learn; of the contract that the learner takes.
        device: where to compute.
        streams: the stage's random streams.
        always_active: whether frozen modules are in every path.
        worker: which of several evaluators side by side this is for; what they draw one after
            another, such as exploration, must depend on it, and what equal keys stand for not.
        budget: the stage's, and how much of it is used.
    """

    pool: ModulePool
    head: TaskHead
    task: TaskT
    device: torch.device
    streams: Streams
    always_active: bool
    worker: int = 0
    budget: Budget = field(default_factory=Budget)

    def path(self, rows: Sequence[Sequence[int]]) -> Path:
        """The path that a genotype stands for, with frozen modules where they are in every path."""
        return self.pool.active(rows, self.always_active)


class Learner(BaseModel, ABC, Generic[TaskT]):
    """A learner plugin: its fields are its configuration (``[learner]``).

    ``Learner[SupervisedTask]`` is one of tasks with examples, ``Learner[EnvironmentTask]`` one of
    tasks that are acted in.

    Attributes:
        takes: the task contract it can learn.
        connect: how frozen modules enter a new task's path unless the configuration says.
        published: how they do in the paper.
        listens: whether it can train paths that hear columns.
        unit: what its evaluations count, for reports: ``examples`` or ``frames``.
        fitness_name: what its fitness is, for reports.
        in_place: whether it trains the pool itself instead of leasing from it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    takes: ClassVar[type]
    connect: ClassVar[Connect] = "named"
    published: ClassVar[Connect] = "named"
    listens: ClassVar[bool] = False
    unit: ClassVar[str] = "examples"
    fitness_name: ClassVar[str] = "fitness"
    in_place: ClassVar[bool] = False

    @abstractmethod
    def outputs(self, task: TaskT) -> int:
        """How many outputs the task's readout has."""

    def readout(self, pool: ModulePool, task: TaskT, generator: torch.Generator) -> Stack:
        """A new readout for the task on the pool's features; as torch draws it by default."""
        return pool.readout(self.outputs(task), generator)

    def check(self, task: TaskT) -> None:
        """Say before a run begins what would keep this learner from learning the task here.

        Raises:
            TaskError: something does, such as want of memory; the message says the way out.
        """

    def carries(self, stack: Stack) -> Mapping[str, Shape]:
        """Names of what leases carry of each module besides its parameters, and their shapes.

        Such as momentum, which stays with a module from one evaluation to the next; see
        ``Stack.carry``.
        """
        return {}

    @abstractmethod
    def evaluator(self, context: LearningContext[TaskT]) -> Evaluator:
        """Something that trains candidates on the context's pool."""

    def visits(self, task: TaskT, budget: Budget) -> float | None:
        """How often a budget visits each training example; None where there are none, as in games.

        Copies of an example count as that example.
        """
        return None

    @property
    def processes(self) -> int:
        """How many processes an evaluator starts."""
        return 0

    @property
    def deterministic(self) -> bool:
        """Whether equal seeds give equal results, bit for bit."""
        return True

    def random_baseline(self, task: TaskT, streams: Streams) -> float | None:
        """The chief score of who has learned nothing, such as that of random actions, or None."""
        return None

    def inputs(self, task: TaskT, n: int, streams: Streams) -> Tensor:
        """Some of the task's inputs, prepared for the network, to standardise columns on.

        Args:
            task: what is learned.
            n: how many, at the most.
            streams: the stage's random streams.

        Returns:
            ``(n, *input_shape)`` float32.

        Raises:
            TypeError: the task has no examples, and the learner does not override this.
        """
        if not isinstance(task, SupervisedTask):
            raise TypeError(f"{type(self).__name__} must say what a task's inputs are")
        return task.prepare(task.inputs[:n])

    @abstractmethod
    def score(self, network: PathNetwork, task: TaskT, streams: Streams) -> dict[str, float]:
        """Held-out scores of a network, by name, the chief one first; changes nothing."""

    def actions(
        self, network: PathNetwork, observations: Tensor, generator: torch.Generator
    ) -> Tensor:
        """What a network that this learner trained does, for learners whose tasks are acted in.

        Args:
            network: path and readout.
            observations: ``(n, *observation_shape)`` as the environment gives them, on any device.
            generator: a CPU generator, where actions are drawn.

        Returns:
            ``(n,)`` int64, on the CPU.

        Raises:
            TypeError: it trains no network that acts.
        """
        raise TypeError(f"{type(self).__name__} trains networks that do not act")


class StageFailed(RuntimeError):  # noqa: N818
    """So many evaluations failed in a row that nothing can be learned."""
