"""Racing: a few paths of full width compete for a little of the budget; the winner gets the rest.

Evolution over random genotypes trains every module of a pool a little, and the modules of the path
that wins in the end not much more. Racing begins with the starts that the transfer policy laid out,
such as fresh modules and copies of an earlier path, on disjoint modules, and halves their number
(successive halving, Jamieson and Talwalkar 2016). A first task has one start, and runs no race.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from pydantic import Field

from pathnet_evo.genotype import Genotype
from pathnet_evo.learners import Candidate
from pathnet_evo.strategies.base import Member, Strategy, StrategySettings


class RacingSettings(StrategySettings):
    """Options of ``racing``."""

    race: float = Field(0.1, ge=0, le=1)
    """Share of the stage's budget that the race may use."""
    starts: int = Field(3, ge=1)
    """The most paths that race."""

    @property
    def generation_size(self) -> int:
        """Two evaluations, as for a binary tournament."""
        return 2


class Racing(Strategy):
    """Successive halving of the transfer policy's starts, then the winner alone.

    A round ends when its share of the budget is used. Of the starts that race, the better half by
    mean fitness in the round stays; after the last round, one.
    """

    Settings: ClassVar[type[StrategySettings]] = RacingSettings

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.alive = list(range(len(self.members)))
        self.rounds = math.ceil(math.log2(len(self.alive)))
        self._sums: dict[int, list[float]] = {place: [] for place in self.alive}

    def ask(self, n: int) -> list[Candidate]:
        """Those that still race, in turn."""
        waiting = [place for place in self._idle if place in self.alive]
        return [self._issue(place) for place in waiting[: max(n, 0)]]

    @property
    def race_ends(self) -> float:
        """The share of the budget at which the present round ends."""
        assert isinstance(self.settings, RacingSettings)
        done = self.rounds - math.ceil(math.log2(len(self.alive)))
        return self.settings.race * (done + 1) / max(self.rounds, 1)

    def _first_population(self) -> list[Genotype]:
        assert isinstance(self.settings, RacingSettings)
        rows = [start.rows for start in self.starts[: self.settings.starts]]
        return [self._genotype(r) for r in rows or [self.shape.full_width()]]

    def _learn(self, candidate: Candidate, fitness: float | None) -> None:
        if candidate.place not in self.alive:
            return
        if fitness is not None:
            self._record(candidate, fitness)
        self._sums[candidate.place].append(-math.inf if fitness is None else fitness)
        even = len({len(self._sums[place]) for place in self.alive}) == 1
        if len(self.alive) > 1 and even and self.budget.share(self._used) >= self.race_ends:
            self._halve()

    @property
    def _used(self) -> int:
        """What the budget counts, with the evaluation that is being told."""
        return self.told if self.budget.evaluations else self.budget.used

    def _halve(self) -> None:
        """Let the better half of those that race go on; of equals, the earlier starts."""
        means = {place: _mean(self._sums[place]) for place in self.alive}
        ranked = sorted(self.alive, key=lambda place: means[place], reverse=True)
        self.alive = sorted(ranked[: math.ceil(len(ranked) / 2)])
        self._sums = {place: [] for place in self.alive}

    def _evaluated(self) -> list[Member]:
        """Those that still race: the path to freeze is one of them."""
        return [m for m in (self.members[p] for p in self.alive) if m.candidate is not None]

    def state(self) -> dict[str, Any]:
        """As every strategy's, and where the race stands."""
        sums = [[place, values] for place, values in self._sums.items()]
        return {**super().state(), "alive": list(self.alive), "race": sums}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``state``."""
        super().restore(state)
        self.alive = list(state["alive"])
        self._sums = {place: list(values) for place, values in state["race"]}


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
