"""NSGA-II: fit paths of few modules, by Pareto dominance (Deb et al. 2002)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from deap import base, tools
from pydantic import Field, field_validator

from pathnet_evo.core.genotype import Genotype, distinct, n_modules, overlap
from pathnet_evo.core.streams import lend
from pathnet_evo.interfaces.population import Child, Front, Member
from pathnet_evo.interfaces.strategy_settings import StrategySettings
from pathnet_evo.strategies.generational import Generational


class ParetoFitness(base.Fitness):  # type: ignore[misc]  # DEAP has no annotations
    """Two objectives: a large fitness, then few modules."""

    weights: ClassVar[tuple[float, ...]] = (1.0, -1.0)


class NSGA2Settings(StrategySettings):
    """Options of ``nsga2``."""

    population: int = Field(64, ge=4)
    """Number of genotypes, P; a multiple of 4."""
    modules: Literal["trained", "active"] = "trained"
    """Modules to minimise: those that would be newly frozen, or all active ones."""
    freeze: Literal["fittest", "knee"] = "fittest"
    """Path of the front to freeze: the fittest, or the knee, which is furthest from the straight
    line between the ends of the front; past it, each extra module gains little."""
    cxpb: float = Field(0.9, ge=0, le=1)
    """Probability that two parents are crossed."""
    mutpb: float = Field(1.0, ge=0, le=1)
    """Probability that a child is mutated."""

    @field_validator("population")
    @classmethod
    def _in_fours(cls, value: int) -> int:
        if value % 4:
            raise ValueError("expected a multiple of 4, since nsga2 draws parents in fours")
        return value


class NSGA2(Generational):
    """Paths that no other beats in both fitness and number of modules survive first.

    Parents are drawn by DEAP's tournament of dominance and crowding distance, crossed two by two
    and mutated. ``select`` is the survivors' selection, by default ``selNSGA2``.
    """

    Settings: ClassVar[type[StrategySettings]] = NSGA2Settings
    Fitness: ClassVar[type[base.Fitness]] = ParetoFitness

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.provide("select", tools.selNSGA2, nd="log")

    def front(self) -> Front:
        """The non-dominated of all that have a fitness, each path and its objectives once."""
        assert isinstance(self.settings, NSGA2Settings)
        found = {
            (distinct(member.genotype), member.genotype.fitness.values): (
                tuple(map(tuple, member.genotype)),
                member.genotype.fitness.values,
            )
            for member in self._front()
        }
        objectives = ("fitness", f"{self.settings.modules} modules")
        return Front(objectives, self.settings.freeze, tuple(found.values()))

    def best(self) -> Genotype | None:
        """The path to freeze, by the rule ``freeze``; of equals, the one evaluated last."""
        front = self._front()
        assert isinstance(self.settings, NSGA2Settings)
        if not front or self.settings.freeze == "fittest":
            return super().best()
        bends = _bend(front)
        knee = max(range(len(front)), key=lambda i: (bends[i], front[i].candidate or 0))
        return front[knee].genotype.copy()

    def _front(self) -> list[Member]:
        known = {id(member.genotype): member for member in self.evaluated()}
        genotypes = [member.genotype for member in known.values()]
        if not genotypes:
            return []
        front = tools.sortLogNondominated(genotypes, len(genotypes), first_front_only=True)
        return [known[id(genotype)] for genotype in front]

    def values(self, rows: Sequence[Sequence[int]], fitness: float) -> tuple[float, ...]:
        """Fitness, and how many modules the path has."""
        assert isinstance(self.settings, NSGA2Settings)
        path = distinct(rows)
        spared = overlap(path, self.frozen) if self.settings.modules == "trained" else 0
        return float(fitness), float(n_modules(path) - spared)

    def _breed(self) -> list[Child]:
        assert isinstance(self.settings, NSGA2Settings)
        genotypes = self.population
        slot_of = {id(genotype): slot for slot, genotype in enumerate(genotypes)}
        tools.selNSGA2(genotypes, len(genotypes), nd="log")  # for the crowding distances
        with lend(self.rng):
            parents = tools.selTournamentDCD(genotypes, len(genotypes))
            children = [self.genotype(parent) for parent in parents]
            for i in range(0, len(children), 2):
                if random.random() < self.settings.cxpb:
                    children[i : i + 2] = self.mated(children[i], children[i + 1])
            for i, child in enumerate(children):
                if random.random() < self.settings.mutpb:
                    children[i] = self.mutated(child)
        sources = [slot_of[id(parent)] for parent in parents]
        return [self.child(source, child) for child, source in zip(children, sources, strict=True)]


def _bend(front: list[Member]) -> list[float]:
    """How far each of a front is above the line between its ends, both objectives scaled to 1."""
    fitness, modules = zip(*(member.genotype.fitness.values for member in front), strict=True)
    return [f - m for f, m in zip(_scaled(fitness), _scaled(modules), strict=True)]


def _scaled(values: tuple[float, ...]) -> list[float]:
    low, high = min(values) / 2, max(values) / 2  # halves, for their difference is finite
    return [(value / 2 - low) / (high - low) if high > low else 0.0 for value in values]
