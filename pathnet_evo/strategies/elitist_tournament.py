"""Elitist tournament: the last winner stays in the contest (Stepwise PathNet, 2020)."""

from __future__ import annotations

from typing import Any

from pathnet_evo.strategies.binary_tournament import BinaryTournament, Tournament


class ElitistTournament(BinaryTournament):
    """The winner of the last tournament meets a random genotype; otherwise a binary tournament.

    The champion is evaluated again with every challenger, on the current weights. If tournaments
    run concurrently, the champion takes part in at most one, and the winner of the one decided last
    is the next champion. If both contestants fail, there is no champion.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.champion: int | None = None

    def _pair(self) -> list[int] | None:
        pair = self._idle_sample(2)
        champion = self.champion
        if pair is None or champion is None or champion in self.open or champion in pair:
            return pair
        pair[self.rng.randrange(2)] = champion
        return pair

    def _decide(self, tournament: Tournament) -> int | None:
        self.champion = super()._decide(tournament)
        return self.champion

    def state(self) -> dict[str, Any]:
        """As the binary tournament's, and the champion."""
        return {**super().state(), "champion": self.champion}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``state``."""
        super().restore(state)
        self.champion = state["champion"]
