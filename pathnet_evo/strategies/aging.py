"""Aging: regularised evolution, in which the oldest dies (Real et al. 2019, algorithm 1)."""

from __future__ import annotations

from collections import deque
from typing import Any, ClassVar

from deap import tools
from pydantic import Field, model_validator

from pathnet_evo.core.streams import lend
from pathnet_evo.interfaces.learners import Candidate
from pathnet_evo.interfaces.population import Child, Member, member_from, member_state
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


class Aging(Strategy):
    """The best of a random sample has a mutated child; once that is evaluated, the oldest dies.

    The child takes the place of the oldest that no other child waits for. The first population is
    evaluated before there are children. One whose evaluation fails is drawn anew while it is of
    the first population; a child that fails is forgotten, and the oldest lives on.
    """

    Settings: ClassVar[type[StrategySettings]] = AgingSettings

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._provide("select", tools.selBest)
        self.newborn = deque(range(len(self.members)))
        self.queue: deque[int] = deque()
        self.children: dict[int, Child] = {}

    def ask(self, n: int) -> list[Candidate]:
        """Those of the first population, and once they are evaluated, children."""
        asked: list[Candidate] = []
        while len(asked) < n:
            if self.newborn:
                asked.append(self._issue(self.newborn.popleft()))
            elif self.queue and len(self.queue) + len(self.children) == len(self.members):
                asked.append(self._issue_child())
            else:
                break
        return asked

    def _issue_child(self) -> Candidate:
        assert isinstance(self.settings, AgingSettings)
        size, generation = len(self.members), self._next_id // self.generation_size
        sample = [
            self.rng.randrange(size) for _ in range(size_at(self.settings.samples, generation))
        ]
        (best,) = self._select([self.members[slot].genotype for slot in sample], 1)
        parent = self.members[sample[best]]
        with lend(self.rng):
            genotype = self._mutate(parent.genotype)
        child = Child(Member(genotype, parent.candidate), sample[best])
        candidate = self._issue(self.queue.popleft(), child.member)
        self.children[candidate.id] = child
        return candidate

    def _learn(self, candidate: Candidate, fitness: float | None) -> None:
        slot, child = candidate.slot, self.children.pop(candidate.id, None)
        if fitness is not None:
            if child is not None:
                self._settle(child.member, child.source, slot)
            self._record(candidate, fitness)
            self.queue.append(slot)
        elif child is not None:
            self.queue.appendleft(slot)
        else:
            self._redraw(slot)
            self.newborn.append(slot)

    def state(self) -> dict[str, Any]:
        """As every strategy's, the order of age, and the children that are being evaluated."""
        children = [
            [number, child.source, member_state(child.member)]
            for number, child in self.children.items()
        ]
        return {
            **super().state(),
            "newborn": list(self.newborn),
            "queue": list(self.queue),
            "children": children,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``state``."""
        super().restore(state)
        self.newborn, self.queue = deque(state["newborn"]), deque(state["queue"])
        self.children = {
            number: Child(member_from(member, self.Fitness), source)
            for number, source, member in state["children"]
        }
