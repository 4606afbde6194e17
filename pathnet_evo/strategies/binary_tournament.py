"""Binary tournament: PathNet's serial evolution (Fernando et al. 2017, section 2.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from deap import tools
from pydantic import Field

from pathnet_evo.interfaces.evaluations import Candidate
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


@dataclass
class TournamentState:
    """What ``binary-tournament`` knows.

    Args:
        tournaments: those that are not decided, in the order in which they were drawn.
    """

    tournaments: list[Tournament] = field(default_factory=list)


class BinaryTournament(Strategy):
    """Two random genotypes compete; a mutated copy of the winner replaces the loser.

    A contestant whose evaluation fails loses; if both fail, nothing is replaced. If the evaluator
    has more than two slots, tournaments between other genotypes run concurrently.
    """

    Settings: ClassVar[type[StrategySettings]] = BinaryTournamentSettings
    saved: TournamentState

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.provide("select", tools.selBest)

    def begun(self) -> TournamentState:
        """No tournament is open."""
        return TournamentState()

    @property
    def open(self) -> dict[int, Tournament]:
        """The tournament that each slot is in, if any."""
        return {slot: t for t in self.saved.tournaments for slot in t.slots}

    def ask(self, n: int) -> list[Candidate]:
        """The second contestant of a half issued tournament, then those of new ones."""
        asked: list[Candidate] = []
        while len(asked) < n:
            half = (each for each in self.saved.tournaments if each.issued < 2)
            tournament = next(half, None) or self._draw()
            if tournament is None:
                break
            asked.append(self.issue(tournament.slots[tournament.issued]))
            tournament.issued += 1
        return asked

    def _draw(self) -> Tournament | None:
        pair = self._pair()
        if pair is None:
            return None
        tournament = Tournament(pair)
        self.saved.tournaments.append(tournament)
        return tournament

    def _pair(self) -> list[int] | None:
        """Two slots that are in no tournament, at random and in random order."""
        return self._idle_sample(2)

    def _idle_sample(self, n: int) -> list[int] | None:
        size, taken = len(self.members), self.open.keys()
        if size - len(taken) < n:
            return None
        if 2 * len(taken) > size:
            return self.rng.sample([slot for slot in range(size) if slot not in taken], n)
        while True:
            slots = self.rng.sample(range(size), n)
            if taken.isdisjoint(slots):
                return slots

    def learn(self, candidate: Candidate, fitness: float | None) -> None:
        """Take an evaluation; ``fitness`` is None where it failed."""
        if fitness is not None:
            self.give_fitness(candidate, fitness)
        tournament = self.open[candidate.slot]
        tournament.told[candidate.slot] = fitness
        if len(tournament.told) == 2:
            self.saved.tournaments.remove(tournament)
            self._decide(tournament)

    def _decide(self, tournament: Tournament) -> int | None:
        """Overwrite the loser; return the winner's slot, None where both failed."""
        finite = [slot for slot in tournament.slots if tournament.told[slot] is not None]
        if not finite:
            return None
        (best,) = self.select([self.members[slot].genotype for slot in finite], 1)
        winner = finite[best]
        (loser,) = (slot for slot in tournament.slots if slot != winner)
        self.overwrite(winner, loser)
        return winner
