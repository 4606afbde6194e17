"""Aging: regularised evolution, in which the oldest dies (Real et al. 2019, algorithm 1)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, ClassVar

from deap import tools
from pydantic import Field, model_validator

from pathnet_evo.core.streams import lend
from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo.interfaces.population import Child
from pathnet_evo.interfaces.strategies import Strategy
from pathnet_evo.interfaces.strategy_settings import StrategySettings
from pathnet_evo.strategies.sizes import Schedule, Steps, largest, size_at


class AgingSettings(StrategySettings):
    """Options of ``aging``."""

    population: int = Field(64, ge=2)
    """Number of genotypes, P."""
    sample: Schedule = None
    """Sample size S: the best of S genotypes, drawn with replacement, becomes the parent. A number,
    or a schedule of ``[generation, size]`` pairs. Default: 25, or P if smaller."""

    @model_validator(mode="after")
    def _fits(self) -> AgingSettings:
        if self.sample is not None and largest(self.sample) > self.population:
            raise ValueError(
                f"a sample of {largest(self.sample)} does not fit into a population of "
                f"{self.population}"
            )
        return self

    @property
    def samples(self) -> Steps:
        """The schedule of S."""
        return self.sample or ((0, min(25, self.population)),)


@dataclass
class AgingState:
    """What ``aging`` knows.

    Args:
        newborn: slots of the first population that have yet to be evaluated.
        queue: the others, the oldest first.
        children: those that are being evaluated, by candidate id.
    """

    newborn: deque[int]
    queue: deque[int] = field(default_factory=deque)
    children: dict[int, Child] = field(default_factory=dict)


class Aging(Strategy):
    """The best of a random sample has a mutated child; once that is evaluated, the oldest dies.

    The child takes the place of the oldest that no other child waits for. The first population is
    evaluated before there are children. One whose evaluation fails is drawn anew while it is of
    the first population; a child that fails is forgotten, and the oldest lives on.
    """

    Settings: ClassVar[type[StrategySettings]] = AgingSettings
    inherits: ClassVar[bool] = False
    saved: AgingState

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.provide("select", tools.selBest)

    def begun(self) -> AgingState:
        """All of the first population are newborn."""
        return AgingState(deque(range(len(self.members))))

    def ask(self, n: int) -> list[Candidate]:
        """Those of the first population, and once they are evaluated, children."""
        asked: list[Candidate] = []
        while len(asked) < n:
            if self.saved.newborn:
                asked.append(self.issue(self.saved.newborn.popleft()))
            elif self.saved.queue and len(self.saved.queue) + len(self.saved.children) == len(
                self.members
            ):
                asked.append(self._issue_child())
            else:
                break
        return asked

    def _issue_child(self) -> Candidate:
        assert isinstance(self.settings, AgingSettings)
        size, generation = len(self.members), self.next_id // self.generation_size
        sample = [
            self.rng.randrange(size) for _ in range(size_at(self.settings.samples, generation))
        ]
        (best,) = self.select([self.members[slot].genotype for slot in sample], 1)
        with lend(self.rng):
            genotype = self.mutated(self.members[sample[best]].genotype)
        child = self.child(sample[best], genotype)
        candidate = self.issue(self.saved.queue.popleft(), child.member)
        self.saved.children[candidate.id] = child
        return candidate

    def learn(self, candidate: Candidate, fitness: float | None) -> None:
        """Take an evaluation; ``fitness`` is None where it failed."""
        slot, child = candidate.slot, self.saved.children.pop(candidate.id, None)
        if fitness is not None:
            if child is not None:
                self.settle(child.member, child.source, slot, child.origin)
            self.give_fitness(candidate, fitness)
            self.saved.queue.append(slot)
        elif child is not None:
            self.saved.queue.appendleft(slot)
        else:
            self.redraw(slot)
            self.saved.newborn.append(slot)
