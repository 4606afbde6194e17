"""Generational strategies: breed offspring, evaluate them, select from parents and offspring."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from dataclasses import dataclass, field
from typing import Any, ClassVar

from deap import tools

from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo.interfaces.population import Child, Member
from pathnet_evo.interfaces.strategies import Strategy


@dataclass
class GenerationalState:
    """What a generational strategy knows.

    Args:
        turn: how many broods were bred.
        brood: the present one.
        waiting: which of it, or of the first population, are yet to be asked for.
        child_of: which of the brood a candidate is.
    """

    turn: int = 0
    brood: list[Child] = field(default_factory=list)
    waiting: deque[int] = field(default_factory=deque)
    child_of: dict[int, int] = field(default_factory=dict)


class Generational(Strategy):
    """The population is replaced once per generation, when the whole brood is evaluated.

    A survivor keeps its slot; a child takes the slot of a member that did not survive. The first
    brood is bred once every slot has a fitness; a slot whose evaluation fails draws a new genotype.
    Children whose evaluation failed are excluded from selection.
    """

    inherits: ClassVar[bool] = False
    saved: GenerationalState

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.provide("mate", tools.cxUniform, indpb=0.5)

    def begun(self) -> GenerationalState:
        """The first population waits."""
        return GenerationalState(waiting=deque(range(len(self.members))))

    @abstractmethod
    def _breed(self) -> list[Child]:
        """The next brood; all members have a fitness."""

    def ask(self, n: int) -> list[Candidate]:
        """The members of the population or brood that are not issued yet."""
        asked: list[Candidate] = []
        while self.saved.waiting and self.idle and len(asked) < n:
            i = self.saved.waiting.popleft()
            if self.saved.turn == 0:
                asked.append(self.issue(i))
            else:
                (slot,) = self.idle_in_turn(1)
                asked.append(self.issue(slot, self.saved.brood[i].member))
                self.saved.child_of[asked[-1].id] = i
        return asked

    def generation_of(self, number: int) -> int:
        """The brood's number."""
        return self.saved.turn

    def learn(self, candidate: Candidate, fitness: float | None) -> None:
        """Take an evaluation; ``fitness`` is None where it failed."""
        number = self.saved.child_of.pop(candidate.id, None)
        child = None if number is None else self.saved.brood[number]
        if fitness is not None:
            self.give_fitness(candidate, fitness, child.member if child else None)
        elif child is None:
            self.redraw(candidate.slot)
            self.saved.waiting.append(candidate.slot)
        if not self.saved.waiting and not self.in_flight:
            self._survive()
            self.saved.brood = self._breed()
            self.saved.waiting = deque(range(len(self.saved.brood)))
            self.saved.turn += 1

    def evaluated(self) -> list[Member]:
        """Parents and brood, as far as they have a fitness."""
        children = (child.member for child in self.saved.brood)
        return [m for m in (*self.members, *children) if m.candidate is not None]

    def _survive(self) -> None:
        """Keep the selected of parents and brood, as many as there are slots."""
        young = [child for child in self.saved.brood if child.member.candidate is not None]
        if not young:
            return
        size = len(self.members)
        every = [*self.members, *(child.member for child in young)]
        kept: set[int] = set()
        moving: list[int] = []
        for i in self.select([member.genotype for member in every], size):
            if i < size and i not in kept:
                kept.add(i)
            else:
                moving.append(i)
        free = (slot for slot in range(size) if slot not in kept)
        for slot, i in zip(free, moving, strict=True):
            member = Member(every[i].genotype.copy(), every[i].parent, every[i].candidate)
            if i < size:
                self.settle(member, i, slot, tuple(map(tuple, member.genotype)))
            else:
                self.settle(member, young[i - size].source, slot, young[i - size].origin)
