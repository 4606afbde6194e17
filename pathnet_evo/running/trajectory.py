"""The scores of a sweep's trial on the way to its target, which pruning compares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

STEPS = 10
"""Scores on the way per seed: the best fitness in each tenth of the stage's budget."""


@dataclass
class _Seed:
    """The evaluations of the target's stage with one seed."""

    told: list[tuple[float | None, int]] = field(default_factory=list)
    best: list[float] = field(default_factory=lambda: [-math.inf] * STEPS)
    used: int = 0
    final: float | None = None


class Trajectory:
    """Scores on the way, seed after seed: step 0 is the first tenth of the first seed.

    A step's score is the mean of the final fitness of earlier seeds and of the best fitness in the
    tenth. A seed is heard once the one before it is over, so that the scores do not depend on
    which of them run at the same time.

    Args:
        seeds: the seeds of the run.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self.seeds = {seed: _Seed() for seed in seeds}
        self.budget, self.by_frames = 0, False

    @property
    def last(self) -> int:
        """The last step."""
        return len(self.seeds) * STEPS - 1

    def begin(self, budget: int, by_frames: bool) -> None:
        """The stage's budget in evaluations, or in examples or frames if ``by_frames``."""
        self.budget, self.by_frames = budget, by_frames

    def add(self, seed: int, number: int, fitness: float | None, examples: int) -> None:
        """An evaluation; those with its number and later ones are void if there are any."""
        of = self.seeds[seed]
        if number < len(of.told):
            kept = of.told[:number]
            of = self.seeds[seed] = _Seed()
            for each in kept:
                self._count(of, *each)
        self._count(of, fitness, examples)

    def end(self, seed: int, fitness: float) -> None:
        """The stage is over, with the fitness of its best path."""
        self.seeds[seed].final = fitness

    def scores(self) -> list[float]:
        """The scores of all steps so far; NaN before any evaluation had a fitness."""
        found: list[float] = []
        before: list[float] = []
        for of in self.seeds.values():
            score = math.nan
            used = self._used_up(of)
            for step in range(used if of.final is None else STEPS):
                if of.best[step] > -math.inf:
                    score = of.best[step]
                elif of.final is not None and step >= used:
                    score = of.final
                found.append(math.fsum([*before, score]) / (len(before) + 1))
            if of.final is None:
                break
            before.append(of.final)
        return found

    def _count(self, of: _Seed, fitness: float | None, examples: int) -> None:
        step = self._used_up(of)
        if fitness is not None:
            of.best[step] = max(of.best[step], fitness)
        of.told.append((fitness, examples))
        of.used += examples if self.by_frames else 1

    def _used_up(self, of: _Seed) -> int:
        """How many tenths no further evaluation can enter."""
        return min(STEPS * of.used // max(self.budget, 1), STEPS - 1)
