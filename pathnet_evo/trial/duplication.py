"""Module duplication: copy useful modules onto others of their layer (section 3.4)."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

from pathnet_evo.core.genotype import distinct
from pathnet_evo.core.head import TaskHead
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import put_at, state_of
from pathnet_evo.interfaces.evaluations import Evaluation
from pathnet_evo.interfaces.records import Copied

WINDOW = 10
"""Evaluations over which a module's usefulness is averaged."""


class Duplication:
    """Copies modules at a given rate per generation.

    The usefulness of a module is the mean fitness of the last ``WINDOW`` evaluated paths that held
    it. A layer is drawn; in it a source, with chances that grow with how far its usefulness lies
    above the lowest; and a target that is not frozen and less useful, or was never held. Where
    there is no such pair nothing is copied: so a control with one fixed path never changes.

    Args:
        pool: all modules.
        rate: copies a generation; of 2.5 these are two, and every other generation a third.
        rng: draws.
        head: the task's, whose maps into a module are copied with it.
    """

    def __init__(
        self,
        pool: ModulePool,
        rate: float,
        rng: random.Random,
        head: TaskHead | None = None,
    ) -> None:
        self.pool, self.head, self.rate, self.rng = pool, head, rate, rng
        self._fitnesses: dict[tuple[int, int], deque[float]] = {}

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """Update the usefulness of an evaluated path's modules."""
        if evaluation.fitness is None or not self.rate:
            return
        for layer, modules in enumerate(distinct(evaluation.candidate.genotype)):
            for module in modules:
                kept = self._fitnesses.setdefault((layer, module), deque(maxlen=WINDOW))
                kept.append(evaluation.fitness)

    def usefulness(self, layer: int) -> dict[int, float]:
        """Usefulness by module, for the modules of a layer that evaluated paths contained."""
        return {
            module: sum(kept) / len(kept)
            for (at, module), kept in sorted(self._fitnesses.items())
            if at == layer
        }

    def generation(self) -> tuple[Copied, ...]:
        """Make the copies due at the end of a generation."""
        if not self.rate:
            return ()
        whole = int(self.rate)
        due = whole + (self.rng.random() < self.rate - whole)
        copied = (self._copy(self.rng.randrange(len(self.pool.layers))) for _ in range(due))
        return tuple(copy for copy in copied if copy is not None)

    def state(self) -> dict[str, Any]:
        """Plain data from which ``restore`` resumes identically."""
        return {
            "fitnesses": [[*place, list(kept)] for place, kept in self._fitnesses.items()],
            "rng": state_of(self.rng),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from ``state``."""
        self._fitnesses = {
            (layer, module): deque(kept, maxlen=WINDOW)
            for layer, module, kept in state["fitnesses"]
        }
        put_at(self.rng, state["rng"])

    def _copy(self, layer: int) -> Copied | None:
        known = self.usefulness(layer)
        if not known:
            return None
        lowest = min(known.values())
        chances = [value - lowest for value in known.values()]
        source = self.rng.choices(list(known), chances if any(chances) else None)[0]
        frozen = self.pool.layers[layer].frozen.tolist()
        targets = [
            module
            for module, is_frozen in enumerate(frozen)
            if not is_frozen
            and module != source
            and (module not in known or known[module] < known[source])
        ]
        if not targets:
            return None
        target = self.rng.choice(targets)
        self.pool.duplicate(layer, source, target)
        if self.head is not None:
            self.head.duplicate(layer, source, target)
        self._fitnesses.pop((layer, target), None)
        return Copied(layer, source, target, known[source])
