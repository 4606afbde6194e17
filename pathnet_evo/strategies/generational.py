"""Generational strategies: breed offspring, evaluate them, select from parents and offspring."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from typing import Any

from deap import tools

from pathnet_evo.interfaces.learners import Candidate
from pathnet_evo.interfaces.population import Child, Member, member_from, member_state
from pathnet_evo.interfaces.strategies import Strategy


class Generational(Strategy):
    """The population is replaced once per generation, when the whole brood is evaluated.

    A survivor keeps its slot; a child takes the slot of a member that did not survive. The first
    brood is bred once every slot has a fitness; a slot whose evaluation fails draws a new genotype.
    Children whose evaluation failed are excluded from selection.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._provide("mate", tools.cxUniform, indpb=0.5)
        self.turn = 0
        self.brood: list[Child] = []
        self.waiting = deque(range(len(self.members)))
        self._child_of: dict[int, Child] = {}

    @abstractmethod
    def _breed(self) -> list[Child]:
        """The next brood; all members have a fitness."""

    def ask(self, n: int) -> list[Candidate]:
        """The members of the population or brood that are not issued yet."""
        asked: list[Candidate] = []
        while self.waiting and self._idle and len(asked) < n:
            i = self.waiting.popleft()
            if self.turn == 0:
                asked.append(self._issue(i))
            else:
                (slot,) = self._idle_in_turn(1)
                asked.append(self._issue(slot, self.brood[i].member))
                self._child_of[asked[-1].id] = self.brood[i]
        return asked

    def _generation_of(self, number: int) -> int:
        return self.turn

    def _learn(self, candidate: Candidate, fitness: float | None) -> None:
        child = self._child_of.pop(candidate.id, None)
        if fitness is not None:
            self._record(candidate, fitness, child.member if child else None)
        elif child is None:
            self._redraw(candidate.slot)
            self.waiting.append(candidate.slot)
        if not self.waiting and not self.in_flight:
            self._survive()
            self.brood = self._breed()
            self.waiting = deque(range(len(self.brood)))
            self.turn += 1

    def _evaluated(self) -> list[Member]:
        children = (child.member for child in self.brood)
        return [m for m in (*self.members, *children) if m.candidate is not None]

    def _survive(self) -> None:
        """Keep the selected of parents and brood, as many as there are slots."""
        young = [child for child in self.brood if child.member.candidate is not None]
        if not young:
            return
        size = len(self.members)
        every = [*self.members, *(child.member for child in young)]
        kept: set[int] = set()
        moving: list[int] = []
        for i in self._select([member.genotype for member in every], size):
            if i < size and i not in kept:
                kept.add(i)
            else:
                moving.append(i)
        free = (slot for slot in range(size) if slot not in kept)
        for slot, i in zip(free, moving, strict=True):
            member = Member(every[i].genotype.copy(), every[i].parent, every[i].candidate)
            self._settle(member, i if i < size else young[i - size].source, slot)

    def state(self) -> dict[str, Any]:
        """As every strategy's, and the brood."""
        number = {id(child): i for i, child in enumerate(self.brood)}
        return {
            **super().state(),
            "turn": self.turn,
            "brood": [[child.source, member_state(child.member)] for child in self.brood],
            "waiting": list(self.waiting),
            "child_of": [[key, number[id(child)]] for key, child in self._child_of.items()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``state``."""
        super().restore(state)
        self.turn = state["turn"]
        self.brood = [Child(member_from(m, self.Fitness), source) for source, m in state["brood"]]
        self.waiting = deque(state["waiting"])
        self._child_of = {key: self.brood[i] for key, i in state["child_of"]}
