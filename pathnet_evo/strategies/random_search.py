"""Random search: fresh random paths, no selection; the baseline that evolution must beat."""

from __future__ import annotations

from typing import Any, ClassVar

from pathnet_evo.core.genotype import Genotype
from pathnet_evo.interfaces.learners import Candidate
from pathnet_evo.interfaces.population import Member, member_from, member_state
from pathnet_evo.interfaces.strategies import Strategy
from pathnet_evo.interfaces.strategy_settings import StrategySettings


class RandomSearchSettings(StrategySettings):
    """Options of ``random-search``."""

    @property
    def generation_size(self) -> int:
        """Two evaluations, as in a binary tournament."""
        return 2


class RandomSearch(Strategy):
    """Every evaluation uses a fresh random path; the best ever seen is frozen.

    A slot draws a new genotype after each evaluation. A generation is two evaluations, as in the
    tournament that it is compared with.
    """

    Settings: ClassVar[type[StrategySettings]] = RandomSearchSettings

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._best: Member | None = None

    def ask(self, n: int) -> list[Candidate]:
        """The slots that are not in flight, in turn."""
        return [self._issue(slot) for slot in self._idle_in_turn(n)]

    def _learn(self, candidate: Candidate, fitness: float | None) -> None:
        if fitness is not None:
            self._record(candidate, fitness)
            member = self.members[candidate.slot]
            if self._best is None or member.genotype.fitness > self._best.genotype.fitness:
                self._best = Member(member.genotype.copy(), None, candidate.id)
        self._redraw(candidate.slot)

    def best(self) -> Genotype | None:
        """The fittest path of all evaluations."""
        return None if self._best is None else self._best.genotype.copy()

    def state(self) -> dict[str, Any]:
        """As every strategy's, and the best path."""
        return {**super().state(), "best": member_state(self._best) if self._best else None}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``state``."""
        super().restore(state)
        self._best = member_from(state["best"], self.Fitness) if state["best"] else None
