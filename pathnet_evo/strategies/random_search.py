"""Random search: fresh random paths, no selection; the baseline that evolution must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pathnet_evo.core.genotype import Genotype
from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo.interfaces.population import Member
from pathnet_evo.interfaces.strategies import Strategy
from pathnet_evo.interfaces.strategy_settings import StrategySettings


class RandomSearchSettings(StrategySettings):
    """Options of ``random-search``."""

    @property
    def generation_size(self) -> int:
        """Two evaluations, as in a binary tournament."""
        return 2


@dataclass
class RandomSearchState:
    """What ``random-search`` knows.

    Args:
        best: the fittest path so far.
    """

    best: Member | None = None


class RandomSearch(Strategy):
    """Every evaluation uses a fresh random path; the best ever seen is frozen.

    A slot draws a new genotype after each evaluation. A generation is two evaluations, as in the
    tournament that it is compared with.
    """

    Settings: ClassVar[type[StrategySettings]] = RandomSearchSettings

    saved: RandomSearchState

    def begun(self) -> RandomSearchState:
        """Nothing was evaluated."""
        return RandomSearchState()

    def ask(self, n: int) -> list[Candidate]:
        """The slots that are not in flight, in turn."""
        return [self.issue(slot) for slot in self.idle_in_turn(n)]

    def learn(self, candidate: Candidate, fitness: float | None) -> None:
        """Take an evaluation; ``fitness`` is None where it failed."""
        if fitness is not None:
            self.give_fitness(candidate, fitness)
            member = self.members[candidate.slot]
            if (
                self.saved.best is None
                or member.genotype.fitness > self.saved.best.genotype.fitness
            ):
                self.saved.best = Member(member.genotype.copy(), None, candidate.id)
        self.redraw(candidate.slot)

    def best(self) -> Genotype | None:
        """The fittest path of all evaluations, each measured when it was evaluated."""
        return None if self.saved.best is None else self.saved.best.genotype.copy()
