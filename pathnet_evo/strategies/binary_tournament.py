"""Binary tournament: PathNet's serial evolution (Fernando et al. 2017, section 2.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from deap import tools
from pydantic import Field

from pathnet_evo.interfaces.learners import Candidate
from pathnet_evo.interfaces.strategies import Strategy
from pathnet_evo.interfaces.strategy_settings import StrategySettings


class BinaryTournamentSettings(StrategySettings):
    """Options of ``binary-tournament``."""

    population: int = Field(64, ge=2)
    """Number of genotypes, P."""

    @property
    def generation_size(self) -> int:
        """Two evaluations: one tournament."""
        return 2


@dataclass
class Tournament:
    """Two slots that compete, in the order in which they are evaluated.

    Args:
        slots: the contestants; the order is random, for the second trains on weights that the
            first has just improved.
        issued: how many of them were handed out.
        told: slot to fitness, None where the evaluation failed.
    """

    slots: list[int]
    issued: int = 0
    told: dict[int, float | None] = field(default_factory=dict)


class BinaryTournament(Strategy):
    """Two random genotypes compete; a mutated copy of the winner replaces the loser.

    A contestant whose evaluation fails loses; if both fail, nothing is replaced. If the evaluator
    has more than two slots, tournaments between other genotypes run concurrently.
    """

    Settings: ClassVar[type[StrategySettings]] = BinaryTournamentSettings

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._provide("select", tools.selBest)
        self.open: dict[int, Tournament] = {}
        self._half: Tournament | None = None

    def ask(self, n: int) -> list[Candidate]:
        """The second contestant of a half issued tournament, then those of new ones."""
        asked: list[Candidate] = []
        while len(asked) < n:
            tournament = self._half or self._draw()
            if tournament is None:
                break
            asked.append(self._issue(tournament.slots[tournament.issued]))
            tournament.issued += 1
            self._half = tournament if tournament.issued < 2 else None
        return asked

    def _draw(self) -> Tournament | None:
        pair = self._pair()
        if pair is None:
            return None
        tournament = Tournament(pair)
        self.open.update(dict.fromkeys(pair, tournament))
        return tournament

    def _pair(self) -> list[int] | None:
        """Two slots that are in no tournament, at random and in random order."""
        return self._idle_sample(2)

    def _idle_sample(self, n: int) -> list[int] | None:
        size = len(self.members)
        if size - len(self.open) < n:
            return None
        if 2 * len(self.open) > size:
            return self.rng.sample([slot for slot in range(size) if slot not in self.open], n)
        while True:
            slots = self.rng.sample(range(size), n)
            if self.open.keys().isdisjoint(slots):
                return slots

    def _learn(self, candidate: Candidate, fitness: float | None) -> None:
        if fitness is not None:
            self._record(candidate, fitness)
        tournament = self.open[candidate.slot]
        tournament.told[candidate.slot] = fitness
        if len(tournament.told) == 2:
            for slot in tournament.slots:
                del self.open[slot]
            self._decide(tournament)

    def _decide(self, tournament: Tournament) -> int | None:
        """Overwrite the loser; return the winner's slot, None where both failed."""
        finite = [slot for slot in tournament.slots if tournament.told[slot] is not None]
        if not finite:
            return None
        (best,) = self._select([self.members[slot].genotype for slot in finite], 1)
        winner = finite[best]
        (loser,) = (slot for slot in tournament.slots if slot != winner)
        self._overwrite(winner, loser)
        return winner

    def state(self) -> dict[str, Any]:
        """As every strategy's, and the open tournaments."""
        tournaments = {id(t): t for t in self.open.values()}.values()
        return {
            **super().state(),
            "tournaments": [[t.slots, t.issued, sorted(t.told.items())] for t in tournaments],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``state``."""
        super().restore(state)
        tournaments = [
            Tournament(list(slots), issued, dict(told))
            for slots, issued, told in state["tournaments"]
        ]
        self.open = {slot: t for t in tournaments for slot in t.slots}
        self._half = next((t for t in tournaments if t.issued < 2), None)
