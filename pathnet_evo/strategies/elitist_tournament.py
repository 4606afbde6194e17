"""Elitist tournament: the last winner stays in the contest (Stepwise PathNet, 2020)."""

from __future__ import annotations

from dataclasses import dataclass

from pathnet_evo.strategies.binary_tournament import (
    BinaryTournament,
    Tournament,
    TournamentState,
)


@dataclass
class ElitistState(TournamentState):
    """What ``elitist-tournament`` knows.

    Args:
        champion: the slot that won last.
    """

    champion: int | None = None


class ElitistTournament(BinaryTournament):
    """The winner of the last tournament meets a random genotype; otherwise a binary tournament.

    The champion is evaluated again with every challenger, on the current weights. If tournaments
    run concurrently, the champion takes part in at most one, and the winner of the one decided last
    is the next champion. If both contestants fail, there is no champion.
    """

    saved: ElitistState

    def begun(self) -> ElitistState:
        """The title is free."""
        return ElitistState()

    def _pair(self) -> list[int] | None:
        pair = self._idle_sample(2)
        champion = self.saved.champion
        if pair is None or champion is None or champion in self.open or champion in pair:
            return pair
        pair[self.rng.randrange(2)] = champion
        return pair

    def _decide(self, tournament: Tournament) -> int | None:
        self.saved.champion = super()._decide(tournament)
        return self.saved.champion
