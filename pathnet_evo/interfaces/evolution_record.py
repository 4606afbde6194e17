"""DEAP's record of evolution: statistics of each generation, and the fittest paths ever."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deap import base, tools

from pathnet_evo.core.genotype import Genotype, Rows

HALL = 10
"""Size of the hall of fame."""
LOGGED = 10_000
"""Latest generations to keep in the logbook; the lineage has all of them."""


class EvolutionRecord:
    """A logbook and a hall of fame, with constant cost per evaluation.

    Args:
        fitness: the DEAP fitness of the genotypes in the hall of fame.
    """

    def __init__(self, fitness: type[base.Fitness]) -> None:
        self.fitness = fitness
        self.halloffame = tools.HallOfFame(HALL)
        self.logbook = tools.Logbook()
        self.logbook.header = ["gen", "nevals", "min", "avg", "max"]
        self.statistics = tools.Statistics()
        self.statistics.register("min", min)
        self.statistics.register("avg", _mean)
        self.statistics.register("max", max)
        self._fitnesses: list[float] = []

    def on_evaluation(self, rows: Rows, values: tuple[float, ...] | None) -> None:
        """Add the finite values of an evaluation, or None if it failed."""
        if values is None:
            return
        self._fitnesses.append(values[0])
        genotype = Genotype(rows, self.fitness(values))
        hall = self.halloffame
        if len(hall) == HALL and genotype.fitness <= hall[-1].fitness:
            return
        for i, kept in enumerate(hall):
            if kept == genotype:
                if genotype.fitness <= kept.fitness:
                    return
                hall.remove(i)
                break
        hall.update([genotype])

    def close_generation(self, generation: int, evaluations: int) -> None:
        """Log the generation; if all evaluations failed, without min, avg and max."""
        found: dict[str, float | None] = {"min": None, "avg": None, "max": None}
        if self._fitnesses:
            found = self.statistics.compile(self._fitnesses)
        self.logbook.record(gen=generation, nevals=evaluations, **found)
        if len(self.logbook) > LOGGED:
            self.logbook.pop(0)
        self._fitnesses = []

    def state(self) -> dict[str, Any]:
        """Plain data from which ``restore`` resumes identically."""
        hall = [[[list(row) for row in g], list(g.fitness.values)] for g in self.halloffame]
        return {
            "hall": hall,
            "logbook": [dict(entry) for entry in self.logbook],
            "fitnesses": list(self._fitnesses),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from ``state``."""
        self.halloffame.clear()
        for rows, values in reversed(state["hall"]):
            self.halloffame.insert(Genotype(rows, self.fitness(tuple(values))))
        self.logbook[:] = [dict(entry) for entry in state["logbook"]]
        self._fitnesses = list(state["fitnesses"])


def _mean(values: Sequence[float]) -> float:
    """The mean of finite numbers, finite however large they are."""
    return sum(value / len(values) for value in values)
