"""Asynchronous tournament: PathNet's parallel evolution (Fernando et al. 2017, section 2.3)."""

from __future__ import annotations

from typing import Any, ClassVar

from deap import tools
from pydantic import Field, model_validator

from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo.interfaces.strategies import Strategy
from pathnet_evo.interfaces.strategy_settings import StrategySettings
from pathnet_evo.strategies.sizes import Schedule, Steps, largest, size_at


class AsynchronousTournamentSettings(StrategySettings):
    """Options of ``asynchronous-tournament``."""

    population: int = Field(64, ge=2)
    """Number of genotypes, P; in the paper, one per worker."""
    tournament: Schedule = None
    """Number of rivals per tournament, B: a number, or a schedule of ``[generation, size]`` pairs.
    Default: 20, or all others if fewer."""

    @model_validator(mode="after")
    def _fits(self) -> AsynchronousTournamentSettings:
        others = self.population - 1
        if self.tournament is not None and largest(self.tournament) > others:
            raise ValueError(
                f"a tournament against {largest(self.tournament)} others does not fit into a "
                f"population of {self.population}, which has {others}"
            )
        return self

    @property
    def rivals(self) -> Steps:
        """The schedule of B."""
        return self.tournament or ((0, min(20, self.population - 1)),)


class AsynchronousTournament(Strategy):
    """Every slot evaluates its genotype repeatedly and meets B rivals after each evaluation.

    If the best published fitness among the rivals is at least its own, a mutated copy of that
    rival replaces the slot's genotype and publishes no fitness until it is evaluated. Otherwise the
    slot evaluates the same genotype again. Rivals in flight compete with their last published
    fitness. A slot whose evaluation fails draws a new genotype.
    """

    Settings: ClassVar[type[StrategySettings]] = AsynchronousTournamentSettings

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.provide("select", tools.selBest)

    def ask(self, n: int) -> list[Candidate]:
        """The slots that are not in flight, the longest idle first."""
        return [self.issue(slot) for slot in self.idle_in_turn(n)]

    def learn(self, candidate: Candidate, fitness: float | None) -> None:
        """Take an evaluation; ``fitness`` is None where it failed."""
        slot = candidate.slot
        if fitness is None:
            self.redraw(slot)
            return
        self.give_fitness(candidate, fitness)
        rival = self._best_of(self._draw_others(slot))
        if rival is not None and self._fitness(rival) >= self._fitness(slot):
            self.overwrite(rival, slot)

    def _draw_others(self, slot: int) -> list[int]:
        """B slots, none of them ``slot``."""
        assert isinstance(self.settings, AsynchronousTournamentSettings)
        n_rivals = size_at(self.settings.rivals, (self.told - 1) // self.generation_size)
        drawn = self.rng.sample(range(len(self.members) - 1), n_rivals)
        return [other + (other >= slot) for other in drawn]

    def _best_of(self, slots: list[int]) -> int | None:
        published = [slot for slot in slots if self._fitness(slot).valid]
        if not published:
            return None
        (best,) = self.select([self.members[slot].genotype for slot in published], 1)
        return published[best]

    def _fitness(self, slot: int) -> Any:
        return self.members[slot].genotype.fitness
