"""Binary tournament: PathNet's serial evolution (Fernando et al. 2017, section 2.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from deap import tools
from pydantic import Field

from pathnet_evo.learners import Candidate
from pathnet_evo.strategies.base import Strategy, StrategySettings


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
    """Two places that compete, in the order in which they are evaluated.

    Args:
        places: the contestants; the order is random, for the second trains on weights that the
            first has just improved.
        issued: how many of them were handed out.
        told: place to fitness, None where the evaluation failed.
    """

    places: list[int]
    issued: int = 0
    told: dict[int, float | None] = field(default_factory=dict)


class BinaryTournament(Strategy):
    """Two random genotypes compete; a mutated copy of the winner replaces the loser.

    A contestant whose evaluation failed loses; where both failed, nothing is replaced. Where an
    evaluator has more than two places, tournaments between other genotypes run at the same time.
    """

    Settings: ClassVar[type[StrategySettings]] = BinaryTournamentSettings

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.toolbox.register("select", tools.selBest, k=1)
        self.tournaments: list[Tournament] = []

    def ask(self, n: int) -> list[Candidate]:
        """The contestants of open tournaments, then those of new ones."""
        asked: list[Candidate] = []
        while len(asked) < n:
            tournament = next((t for t in self.tournaments if t.issued < 2), None) or self._draw()
            if tournament is None:
                break
            asked.append(self._issue(tournament.places[tournament.issued]))
            tournament.issued += 1
        return asked

    def _draw(self) -> Tournament | None:
        busy = {place for t in self.tournaments for place in t.places}
        idle = [place for place in range(len(self.members)) if place not in busy]
        if len(idle) < 2:
            return None
        self.tournaments.append(Tournament(self.rng.sample(idle, 2)))
        return self.tournaments[-1]

    def _learn(self, candidate: Candidate, fitness: float | None) -> None:
        if fitness is not None:
            self._record(candidate, fitness)
        tournament = next(t for t in self.tournaments if candidate.place in t.places)
        tournament.told[candidate.place] = fitness
        if len(tournament.told) == 2:
            self.tournaments.remove(tournament)
            self._decide(tournament)

    def _decide(self, tournament: Tournament) -> None:
        finite = [place for place in tournament.places if tournament.told[place] is not None]
        if not finite:
            return
        genotypes = [self.members[place].genotype for place in finite]
        (best,) = self.toolbox.select(genotypes)
        winner = next(p for p, g in zip(finite, genotypes, strict=True) if g is best)
        (loser,) = (place for place in tournament.places if place != winner)
        self._overwrite(winner, loser)

    def state(self) -> dict[str, Any]:
        """As every strategy's, and the open tournaments."""
        tournaments = [
            {"places": t.places, "issued": t.issued, "told": sorted(t.told.items())}
            for t in self.tournaments
        ]
        return {**super().state(), "tournaments": tournaments}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``state``."""
        super().restore(state)
        self.tournaments = [
            Tournament(list(t["places"]), t["issued"], {place: fit for place, fit in t["told"]})
            for t in state["tournaments"]
        ]
