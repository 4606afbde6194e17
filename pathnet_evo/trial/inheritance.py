"""Function-preserving mutation: a module that enters a path takes a copy of the one it replaces.

µNet's children begin as what their parents are (Gesmundo and Dean 2022); with the paper's mutation,
a child computes something else from its first step on.
"""

from __future__ import annotations

from collections.abc import Sequence

from pathnet_evo.core.head import TaskHead
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.interfaces.population import Replacement
from pathnet_evo.interfaces.records import Copied
from pathnet_evo.interfaces.strategies import Strategy


class Inheritance:
    """Copies modules as genotypes are replaced.

    A gene that mutation changed from one module to another makes the other a copy, where it is not
    frozen and no genotype of the population, nor any in flight, uses it. Where several genes of a
    child differ from the winner's by crossover, modules that others use stay as they are. A child
    that comes into the population with a fitness keeps the weights that it was measured on.

    Args:
        pool: all modules.
        head: the task's, whose maps into a module are copied with it.
        strategy: whose population it is.
    """

    def __init__(self, pool: ModulePool, head: TaskHead, strategy: Strategy) -> None:
        self.pool, self.head, self.strategy = pool, head, strategy

    def replaced(self, replacements: Sequence[Replacement]) -> tuple[Copied, ...]:
        """Copy what the children that just came into the population inherit."""
        return tuple(
            copied
            for replacement in replacements
            if replacement.winner is not None and self._is_new(replacement.loser)
            for layer, _, before, after in replacement.changes
            if (copied := self._copy(replacement, layer, before, after)) is not None
        )

    def _is_new(self, slot: int) -> bool:
        """Whether what is at a slot has yet to be evaluated."""
        return self.strategy.members[slot].candidate is None

    def _copy(self, replacement: Replacement, layer: int, before: int, after: int) -> Copied | None:
        if bool(self.pool.layers[layer].frozen[after]) or self._uses(layer, after) != 1:
            return None
        self.pool.duplicate(layer, before, after)
        self.head.duplicate(layer, before, after)
        assert replacement.winner is not None
        fitness = self.strategy.members[replacement.winner].genotype.fitness
        return Copied(layer, before, after, fitness.values[0] if fitness.valid else 0.0)

    def _uses(self, layer: int, module: int) -> int:
        """How many genes of a layer name a module, in the population and in flight."""
        rows = [genotype[layer] for genotype in self.strategy.population]
        rows += [list(c.genotype[layer]) for c in self.strategy.in_flight.values()]
        return sum(row.count(module) for row in rows)
