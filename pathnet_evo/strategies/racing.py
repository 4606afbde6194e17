"""Racing: a few full-width paths compete for a little of the budget; the winner gets the rest.

Evolution over random genotypes spreads the budget over a whole pool, and the path that wins has
been trained little more than any other. Racing starts from the paths that the transfer policy laid
out, such as fresh modules and copies of an earlier path, on disjoint modules, and halves their
number (successive halving, Jamieson and Talwalkar 2016). A first task has one start and runs no
race.

If copies must change a lot and examples are few, each evaluation trains a random sub-path: each
layer leaves out a module, as dropout leaves out units (Srivastava et al. 2014), so that modules
learn to work without one another. The last part of the budget trains the whole path.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

from pydantic import Field

from pathnet_evo.core.genotype import Genotype, Rows
from pathnet_evo.interfaces.budget import FEW_EXAMPLES
from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo.interfaces.population import Member
from pathnet_evo.interfaces.strategies import Strategy
from pathnet_evo.interfaces.strategy_settings import StrategySettings


class RacingSettings(StrategySettings):
    """Options of ``racing``."""

    population: int = Field(8, ge=1)
    """Places; each holds one of the starts, so that several evaluations can run at a time."""
    race: float = Field(0.1, ge=0, le=1)
    """Share of the stage's budget that the race may use."""
    starts: int = Field(3, ge=1)
    """The most paths that race."""
    module_dropout: int = Field(1, ge=0)
    """Modules that each layer leaves out of an evaluation, if copies must change a lot and examples
    are few; at least one remains."""
    few_examples: float = Field(FEW_EXAMPLES, ge=0)
    """Examples are few if the stage's budget visits each at least this many times."""
    whole_path: float = Field(0.3, ge=0, le=1)
    """Share of the budget, at its end, that always trains whole paths."""

    @property
    def generation_size(self) -> int:
        """Two evaluations, as for a binary tournament."""
        return 2


@dataclass
class RacingState:
    """What ``racing`` knows.

    Args:
        start_of: the start that each slot holds.
        race: the fitnesses of each start that races, in the present round; None for a failure.
    """

    start_of: list[int]
    race: dict[int, list[float | None]]


class Racing(Strategy):
    """Successive halving of the transfer policy's starts, then the winner alone.

    A round ends when its share of the budget is used. The better half of the starts, by mean
    fitness in the round, takes over the slots of the others; after the last round one remains.
    """

    Settings: ClassVar[type[StrategySettings]] = RacingSettings

    saved: RacingState

    def begun(self) -> RacingState:
        """All starts race."""
        n_starts = self.n_starts
        start_of = [slot % n_starts for slot in range(len(self.members))]
        return RacingState(start_of, {start: [] for start in range(n_starts)})

    @property
    def n_starts(self) -> int:
        """How many paths race at first."""
        return min(len(self.members), max(len(self._rows()), 1))

    @property
    def rounds(self) -> int:
        """How often their number is halved."""
        return math.ceil(math.log2(self.n_starts))

    @property
    def compares(self) -> bool:
        """Whether several paths race."""
        return len(self.saved.race) > 1

    def ask(self, n: int) -> list[Candidate]:
        """The slots in turn, whole paths or sub-paths."""
        issued = [self.issue(slot) for slot in self.idle_in_turn(n)]
        return [self._without_some(c) if self._leaves_out(c) else c for c in issued]

    @property
    def used(self) -> float:
        """The share of the budget that is used."""
        return self.budget.share(self.told if self.budget.evaluations else self.budget.used)

    def _leaves_out(self, candidate: Candidate) -> bool:
        """Whether an evaluation trains a sub-path."""
        assert isinstance(self.settings, RacingSettings)
        start, visits = self.saved.start_of[candidate.slot], self.budget.visits
        return (
            self.settings.module_dropout > 0
            and start < len(self.starts)
            and self.starts[start].retrain
            and visits is not None
            and visits >= self.settings.few_examples
            and self.used < 1 - self.settings.whole_path
        )

    def _without_some(self, candidate: Candidate) -> Candidate:
        """A candidate in flight, with modules left out of each layer."""
        assert isinstance(self.settings, RacingSettings)
        rows = []
        for row in candidate.genotype:
            modules = sorted(set(row))
            n_kept = max(len(modules) - self.settings.module_dropout, 1)
            kept = sorted(self.rng.sample(modules, n_kept))
            rows.append(tuple(kept[i % n_kept] for i in range(len(row))))
        thinned = replace(candidate, genotype=tuple(rows))
        self.in_flight[candidate.id] = thinned
        return thinned

    @property
    def race_ends(self) -> float:
        """The share of the budget at which the present round ends."""
        assert isinstance(self.settings, RacingSettings)
        done = self.rounds - math.ceil(math.log2(len(self.saved.race)))
        return self.settings.race * (done + 1) / max(self.rounds, 1)

    def _rows(self) -> list[Rows]:
        assert isinstance(self.settings, RacingSettings)
        return [start.rows for start in self.starts[: self.settings.starts]]

    def first_population(self) -> list[Genotype]:
        """The genotypes that the slots hold at first."""
        rows = self._rows() or [self.shape.full_width()]
        return [self.genotype(rows[i % len(rows)]) for i in range(self.settings.population)]

    def learn(self, candidate: Candidate, fitness: float | None) -> None:
        """Take an evaluation; ``fitness`` is None where it failed."""
        start = self.saved.start_of[candidate.slot]
        member = self.members[candidate.slot]
        if not all(map(set.issuperset, map(set, member.genotype), map(set, candidate.genotype))):
            return  # the start that it was of has lost meanwhile
        if fitness is not None:
            self.give_fitness(candidate, fitness)
        racing = len(self.saved.race) > 1
        if racing:
            self.saved.race[start].append(fitness)
        if racing and all(self.saved.race.values()) and self.used >= self.race_ends:
            self._halve()

    def _halve(self) -> None:
        """Let the better half of those that race stay; of equals, the earlier starts."""
        means = {start: _mean(found) for start, found in self.saved.race.items()}
        ranked = sorted(means, key=lambda start: means[start], reverse=True)
        stay = sorted(ranked[: math.ceil(len(ranked) / 2)])
        slot_of = {start: self.saved.start_of.index(start) for start in stay}
        for slot, start in enumerate(self.saved.start_of):
            if start not in stay:
                self.saved.start_of[slot] = stay[slot % len(stay)]
                winner = slot_of[self.saved.start_of[slot]]
                source = self.members[winner]
                copied = self.genotype(source.genotype)
                self.settle(Member(copied, parent=source.candidate), winner, slot)
        self.saved.race = {start: [] for start in stay}


def _mean(fitnesses: list[float | None]) -> float:
    """The mean of a round; less than any where an evaluation failed."""
    known = [fitness for fitness in fitnesses if fitness is not None]
    return sum(known) / len(known) if len(known) == len(fitnesses) else -math.inf
