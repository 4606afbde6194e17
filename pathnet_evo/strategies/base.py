"""The contract of evolutionary strategies: ask for candidates, tell their evaluations."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

from deap import base
from pydantic import BaseModel, ConfigDict, Field

from pathnet_evo.genotype import Genotype, PathShape, mutate_step
from pathnet_evo.learners import Candidate, Evaluation
from pathnet_evo.streams import lend


class StrategyError(RuntimeError):
    """A strategy was used against its contract."""


class StrategySettings(BaseModel):
    """Options of every strategy (``[strategy]``)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    population: int = Field(64, ge=1)
    """Number of genotypes, P."""
    mutation_rate: float | None = Field(None, ge=0, le=1)
    """Chance that a gene is drawn for mutation; nothing is the paper's 1 / (N * L)."""
    mutation_reach: int = Field(2, ge=0)
    """The largest change of a gene: it moves by -reach to +reach, inclusive."""
    wrap: bool = False
    """Wrap genes around the ends of their range instead of clamping them."""
    same_batches: bool = False
    """Show equal minibatches to all candidates of a generation."""

    @property
    def generation_size(self) -> int:
        """Evaluations in a generation: P, but two for a tournament of two and the controls."""
        return self.population


@dataclass(frozen=True)
class Replacement:
    """A genotype overwrote another: what the lineage keeps of evolution.

    Args:
        winner: place whose genotype was copied; None where a fresh genotype was drawn.
        loser: place that was overwritten.
        parent: candidate id of the winner's evaluation.
        changes: ``(layer, gene, before, after)`` of each gene that mutation changed.
    """

    winner: int | None
    loser: int
    parent: int | None
    changes: tuple[tuple[int, int, int, int], ...] = ()


@dataclass
class Member:
    """One place of the population.

    Args:
        genotype: what is at the place; its DEAP fitness is that of its latest evaluation.
        parent: candidate id that the genotype was copied from.
        candidate: id of its latest finite evaluation; None where it has none.
    """

    genotype: Genotype
    parent: int | None = None
    candidate: int | None = None


class Strategy(ABC):
    """Evolves a population of genotypes by ``ask`` and ``tell`` over a DEAP toolbox.

    The toolbox holds ``genotype`` (a random one), ``clone``, ``mutate`` and what a strategy adds.
    Operators run while the trial's generator is lent to the global ``random`` (``streams.lend``).

    Args:
        shape: the space of paths.
        rng: the only source of randomness.
        settings: options; by default made from ``options``.
        options: fields of ``Settings``.
    """

    Settings: ClassVar[type[StrategySettings]] = StrategySettings

    def __init__(
        self,
        shape: PathShape,
        rng: random.Random,
        settings: StrategySettings | None = None,
        **options: Any,
    ) -> None:
        self.shape = shape
        self.rng = rng
        self.settings = self.Settings(**options) if settings is None else settings
        self.in_flight: dict[int, Candidate] = {}
        self.told = 0
        self._next_id = 0
        self._replacements: list[Replacement] = []
        rate = self.settings.mutation_rate
        self.toolbox = base.Toolbox()
        self.toolbox.register("clone", Genotype.copy)
        self.toolbox.register("genotype", lambda: Genotype(self.shape.random()))
        self.toolbox.register(
            "mutate",
            mutate_step,
            counts=shape.counts,
            rate=1 / (shape.layers * shape.width) if rate is None else rate,
            reach=self.settings.mutation_reach,
            wrap=self.settings.wrap,
        )
        with lend(rng):
            self.members = [Member(genotype) for genotype in self._first_population()]

    # What a strategy is made of ------------------------------------------------------------

    @abstractmethod
    def ask(self, n: int) -> list[Candidate]:
        """At most ``n`` candidates to evaluate, never two of one place in flight."""

    @abstractmethod
    def _learn(self, candidate: Candidate, fitness: float | None) -> None:
        """Change the population after an evaluation; ``fitness`` is None where it failed."""

    @property
    def generation_size(self) -> int:
        """Evaluations in a generation, as the settings say."""
        return self.settings.generation_size

    # What every strategy shares ------------------------------------------------------------

    def tell(self, evaluation: Evaluation) -> None:
        """Take an evaluation; each candidate asked for is told exactly once, in any order.

        Raises:
            StrategyError: the candidate is not in flight.
        """
        candidate = self.in_flight.pop(evaluation.candidate.id, None)
        if candidate is None:
            raise StrategyError(f"candidate {evaluation.candidate.id} was not asked for, or twice told")
        self.told += 1
        self._learn(candidate, evaluation.fitness)

    @property
    def generation(self) -> int:
        """Number of generations that are over."""
        return self.told // self.generation_size

    @property
    def population(self) -> list[Genotype]:
        """The genotypes, by place."""
        return [member.genotype for member in self.members]

    def best(self) -> Genotype | None:
        """The path to freeze: the fittest of the population; None where nothing has a fitness.

        A fitness is that of a genotype's latest evaluation, so an old one was measured on weights
        that have been trained since. Of equals, the one evaluated last.
        """
        known = [member for member in self.members if member.candidate is not None]
        if not known:
            return None
        return max(
            known, key=lambda m: (m.genotype.fitness.wvalues, m.candidate or 0)
        ).genotype.copy()

    def take_replacements(self) -> list[Replacement]:
        """What was overwritten since the last call."""
        taken, self._replacements = self._replacements, []
        return taken

    def state(self) -> dict[str, Any]:
        """Plain data from which ``restore`` goes on identically."""
        version, words, gauss = self.rng.getstate()
        return {
            "members": [member_state(member) for member in self.members],
            "in_flight": [_candidate_state(candidate) for candidate in self.in_flight.values()],
            "told": self.told,
            "next_id": self._next_id,
            "rng": [version, list(words), gauss],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``state``, taken from a strategy with the same shape and settings."""
        self.members = [member_from(member) for member in state["members"]]
        candidates = [_candidate_from(candidate) for candidate in state["in_flight"]]
        self.in_flight = {candidate.id: candidate for candidate in candidates}
        self.told = state["told"]
        self._next_id = state["next_id"]
        version, words, gauss = state["rng"]
        self.rng.setstate((version, tuple(words), gauss))

    def _first_population(self) -> list[Genotype]:
        return [self.toolbox.genotype() for _ in range(self.settings.population)]

    def _idle_in_turn(self, n: int) -> list[int]:
        """At most ``n`` places that are not in flight, going round the population."""
        busy = {candidate.place for candidate in self.in_flight.values()}
        size = len(self.members)
        start = self._next_id % size
        turn = (place % size for place in range(start, start + size))
        return list(islice((place for place in turn if place not in busy), n))

    def _issue(self, place: int) -> Candidate:
        """Put the genotype of a place in flight."""
        member = self.members[place]
        number = self._next_id
        batches = number // self.generation_size if self.settings.same_batches else number
        rows = tuple(map(tuple, member.genotype))
        candidate = Candidate(number, place, rows, member.parent, batches)
        self.in_flight[number] = candidate
        self._next_id += 1
        return candidate

    def _record(self, candidate: Candidate, fitness: float) -> None:
        """Give a place the fitness of its evaluation."""
        member = self.members[candidate.place]
        member.genotype.fitness.values = (fitness,)
        member.candidate = candidate.id

    def _redraw(self, place: int) -> None:
        """Put a fresh random genotype at a place."""
        with lend(self.rng):
            self.members[place] = Member(self.toolbox.genotype())
        self._replacements.append(Replacement(None, place, None))

    def _overwrite(self, winner: int, loser: int) -> None:
        """Overwrite the loser with a mutated copy of the winner, not yet evaluated."""
        source = self.members[winner]
        child = self.toolbox.clone(source.genotype)
        with lend(self.rng):
            (child,) = self.toolbox.mutate(child)
        del child.fitness.values
        changes = tuple(
            (layer, gene, before, after)
            for layer, (old, new) in enumerate(zip(source.genotype, child, strict=True))
            for gene, (before, after) in enumerate(zip(old, new, strict=True))
            if before != after
        )
        self.members[loser] = Member(child, parent=source.candidate)
        self._replacements.append(Replacement(winner, loser, source.candidate, changes))


def _candidate_state(candidate: Candidate) -> dict[str, Any]:
    return {**vars(candidate), "genotype": [list(row) for row in candidate.genotype]}


def _candidate_from(state: dict[str, Any]) -> Candidate:
    return Candidate(**{**state, "genotype": tuple(map(tuple, state["genotype"]))})


def member_state(member: Member) -> dict[str, Any]:
    """A member as plain data."""
    return {
        "genotype": [list(row) for row in member.genotype],
        "fitness": list(member.genotype.fitness.values),
        "parent": member.parent,
        "candidate": member.candidate,
    }


def member_from(state: dict[str, Any]) -> Member:
    """The member that ``member_state`` was taken of."""
    genotype = Genotype(state["genotype"])
    if state["fitness"]:
        genotype.fitness.values = tuple(state["fitness"])
    return Member(genotype, state["parent"], state["candidate"])
