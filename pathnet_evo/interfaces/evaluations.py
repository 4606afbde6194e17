"""Evaluations: the candidates that evolution submits, what trains them, and what comes out."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pathnet_evo.core.genotype import Rows
from pathnet_evo.values.numbers import named, whole


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
        """The candidate saved as ``state``; earlier versions saved a list of values."""
        if not isinstance(state, Mapping):
            names = ("id", "place", "genotype", "parent", "batches")
            state = dict(zip(names, state, strict=True))
        rows = tuple(tuple(whole(gene) for gene in row) for row in state["genotype"])
        return cls(state["id"], state["place"], rows, state["parent"], state["batches"])


@dataclass(frozen=True)
class Evaluation:
    """The result of a candidate; numbers of any type, such as NumPy's, become Python's.

    Args:
        candidate: the submitted candidate.
        fitness: finite, larger is better; None if the evaluation failed.
        cause: why it failed, or None.
        examples: training examples or frames used.
        seconds: wall-clock time; excluded from reproducible results.
        metrics: more numbers to show, such as the loss.
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
        """The same evaluation, but failed if its fitness is not finite."""
        if self.fitness is None or math.isfinite(self.fitness):
            return self
        return replace(self, fitness=None, cause=f"the fitness is {self.fitness}")

    @property
    def failed(self) -> bool:
        """Whether there is no fitness; a failed evaluation never reaches DEAP."""
        return self.fitness is None

    @property
    def state(self) -> str:
        """``OK`` or ``FAILED``."""
        return "FAILED" if self.failed else "OK"


@dataclass(frozen=True)
class Episode:
    """An episode played during training; its numbers become Python's.

    Args:
        candidate: the candidate's id.
        slot: its index in the population.
        score: sum of raw rewards.
        frames: length.
        at: frames used by all candidates of the stage when the episode ended.
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
    """Trains candidates on a pool, one or several at a time.

    Attributes:
        waiting: whether the last ``advance`` did nothing but wait for workers, in vain, so that it
            is called again in the same round; by default false.
    """

    waiting: bool = False

    @property
    @abstractmethod
    def free(self) -> int:
        """How many candidates can be submitted now."""

    @abstractmethod
    def submit(self, candidate: Candidate) -> None:
        """Accept a candidate."""

    @abstractmethod
    def advance(self) -> list[Evaluation]:
        """Work for a while; return finished evaluations, perhaps none."""

    @abstractmethod
    def cancel(self) -> None:
        """Drop all submitted candidates that are not finished.

        This leaves no trace in the pool, unless the learner trains it in place.
        """

    @property
    def used(self) -> int | None:
        """Examples or frames used in this stage so far, including candidates in flight.

        None if they are only counted when an evaluation finishes.
        """
        return None

    def take_episodes(self) -> list[Episode]:
        """Episodes that ended since the last call, in order."""
        return []

    def usage(self) -> Mapping[str, float]:
        """How this stage's evaluations ran, by name, such as bytes sent to workers.

        For the summary's ``times``; never reproducible, and of this session alone.
        """
        return {}

    def state(self) -> dict[str, Any]:
        """The evaluator's state, apart from the pool; empty if nothing is in flight.

        JSON data, in which any value can be a tensor.
        """
        return {}

    def restore(self, state: dict[str, Any]) -> None:  # noqa: B027
        """Resume from ``state``."""

    def close(self) -> None:  # noqa: B027
        """Release resources; may be called twice."""


class StageFailed(RuntimeError):  # noqa: N818
    """Too many evaluations failed in a row to learn anything."""
