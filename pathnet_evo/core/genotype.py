"""Genotypes: which modules of each layer a path uses (Fernando et al. 2017, section 2.2)."""

from __future__ import annotations

import operator
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from deap import base

Rows: TypeAlias = Sequence[Sequence[int]]
"""L rows of N module indices, with repeats: evolution's view."""

Path: TypeAlias = tuple[tuple[int, ...], ...]
"""For each layer the active modules, distinct and ascending: the network's view."""


class PathError(ValueError):
    """A genotype or path names modules that its network does not have."""


@dataclass(frozen=True)
class PathShape:
    """The space of paths: L layers of M modules, with at most N active per layer.

    Args:
        layers: number of layers, L.
        modules: number of modules a layer, M: one number, or one a layer where layers have grown.
        width: number of genes a layer, N, so the most modules of a layer that a path can use.

    Raises:
        PathError: a number below 1, more genes than modules, or not one count a layer.
    """

    layers: int
    modules: int | tuple[int, ...]
    width: int

    def __post_init__(self) -> None:
        if self.layers < 1 or self.width < 1:
            raise PathError(f"a path needs at least 1 layer and 1 gene a layer, got {self}")
        if len(self.counts) != self.layers:
            raise PathError(f"{len(self.counts)} module counts for {self.layers} layers")
        if self.width > min(self.counts):
            raise PathError(
                f"a path of {self.width} modules a layer does not fit into layers of "
                f"{min(self.counts)} modules"
            )

    @property
    def counts(self) -> tuple[int, ...]:
        """The number of modules of each layer, ``(L,)``."""
        if isinstance(self.modules, int):
            return (self.modules,) * self.layers
        return self.modules

    def random(self) -> list[list[int]]:
        """Rows drawn uniformly, from the global ``random`` as DEAP's operators do."""
        return [[random.randrange(count) for _ in range(self.width)] for count in self.counts]

    def without_repeats(self, rows: Rows) -> tuple[tuple[int, ...], ...]:
        """The rows, with each repeated gene replaced by the next unused module, cyclically."""
        found = []
        for row, count in zip(rows, self.counts, strict=True):
            taken, kept = set(row), list(row)
            for i, gene in enumerate(row):
                if gene in row[:i]:
                    upwards = ((gene + step) % count for step in range(1, count))
                    kept[i] = next(module for module in upwards if module not in taken)
                    taken.add(kept[i])
            found.append(tuple(kept))
        return tuple(found)

    def full_width(self) -> list[list[int]]:
        """Rows of the first N modules of each layer: the controls' path."""
        return [list(range(self.width)) for _ in self.counts]

    def check(self, rows: Rows) -> tuple[tuple[int, ...], ...]:
        """The rows with genes of any integer type as plain ``int``.

        Raises:
            PathError: not L rows of N indices within their layers.
        """
        if len(rows) != self.layers or any(len(row) != self.width for row in rows):
            raise PathError(f"expected {self.layers} rows of {self.width} genes, got {rows!r}")
        checked = tuple(tuple(map(_gene, row)) for row in rows)
        for layer, (genes, count) in enumerate(zip(checked, self.counts, strict=True)):
            for i, gene in enumerate(genes):
                if not 0 <= gene < count:
                    raise PathError(
                        f"layer {layer} has modules 0 to {count - 1}, got {rows[layer][i]!r}"
                    )
        return checked


def _gene(value: Any) -> int:
    """An integer of any type as Python's; -1, an invalid module, for anything else."""
    if type(value) is int:
        return value
    try:
        return -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return -1


class PathFitness(base.Fitness):  # type: ignore[misc]  # DEAP has no annotations
    """One objective, larger is better."""

    weights: ClassVar[tuple[float, ...]] = (1.0,)


class Genotype(list[list[int]]):
    """A DEAP individual: L rows of N module indices, with a ``fitness``.

    Rows are its elements, so DEAP's crossovers exchange whole layers of two paths.

    Args:
        rows: L rows of N integers.
        fitness: a DEAP fitness; by default a new, invalid ``PathFitness``.
    """

    fitness: base.Fitness

    def __init__(self, rows: Rows = (), fitness: base.Fitness | None = None) -> None:
        super().__init__(list(row) for row in rows)
        self.fitness = PathFitness() if fitness is None else fitness

    def copy(self) -> Genotype:
        """An independent copy with the same fitness; used by DEAP's ``toolbox.clone``."""
        fitness = type(self.fitness)()
        fitness.wvalues = self.fitness.wvalues
        return Genotype(self, fitness)

    def __deepcopy__(self, memo: dict[int, Any]) -> Genotype:
        return self.copy()


def distinct(rows: Rows) -> Path:
    """Each layer's active modules: a gene that repeats counts once (section 2.2)."""
    return tuple(tuple(sorted(set(row))) for row in rows)


def join(paths: Iterable[Path]) -> Path:
    """The union of ``paths``."""
    return tuple(
        tuple(sorted(set().union(*layers))) for layers in zip(*(paths or [()]), strict=True)
    )


def overlap(a: Path, b: Path) -> int:
    """Number of modules that two paths share."""
    return sum(len(set(x) & set(y)) for x, y in zip(a, b, strict=True))


def n_modules(path: Path) -> int:
    """Number of active modules of a path."""
    return sum(map(len, path))


def mutate_step(
    genotype: Genotype, counts: Sequence[int], rate: float, reach: int, wrap: bool = False
) -> tuple[Genotype]:
    """Add an integer from [-reach, reach] to each gene with probability ``rate``, in place.

    The paper's mutation (section 2.2): rate 1 / (N * L), reach 2 inclusive on both ends, so that
    a gene that is drawn stays as it is one time in five. Draws from the global ``random``.

    Args:
        genotype: L rows of N genes.
        counts: number of modules of each layer, ``(L,)``.
        rate: chance that a gene is drawn.
        reach: the largest change.
        wrap: take the sum modulo the layer's modules; else clamp it, as the author's code does.

    Returns:
        ``(genotype,)``, as DEAP's operators do.
    """
    for row, count in zip(genotype, counts, strict=True):
        for i, gene in enumerate(row):
            if random.random() < rate:
                moved = gene + random.randint(-reach, reach)
                row[i] = moved % count if wrap else min(max(moved, 0), count - 1)
    return (genotype,)
