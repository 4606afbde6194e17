"""Freeze: PathNet's transfer (Fernando et al. 2017, section 2.2)."""

from __future__ import annotations

from typing import ClassVar

from pathnet_evo.genotype import Path
from pathnet_evo.policies.base import Beginning, Grown, Start, TransferPolicy, redraw
from pathnet_evo.pool import ModulePool


class Freeze(TransferPolicy):
    """Freeze a stage's best path and re-initialise the rest, or let it begin as copies."""

    freezes: ClassVar[bool] = True
    listens: ClassVar[bool] = True

    def begin(self, beginning: Beginning) -> tuple[list[Start], list[Grown]]:
        """Make room, draw the free modules again, and lay starts out on them."""
        grown = _make_room(beginning)
        redraw(beginning, keep_frozen=True)
        return _lay_out(beginning), grown

    def end(self, pool: ModulePool, path: Path) -> None:
        """Freeze the path."""
        pool.freeze(path)


def _make_room(beginning: Beginning) -> list[Grown]:
    """Find layers that have too few free modules; let them grow if they are to."""
    pool, width, grow = beginning.pool, beginning.width, beginning.grow
    found = []
    for i, layer in enumerate(pool.layers):
        free = int((~layer.frozen).sum())
        if free >= width:
            continue
        added = max(width - free, grow) if grow else 0
        if added:
            pool.grow(i, added, beginning.streams.torch("grow", i))
        found.append(Grown(i, free, added))
    return found


def _lay_out(beginning: Beginning) -> list[Start]:
    """Groups of N free modules a layer: fresh ones, and copies of earlier paths.

    With ``mixed`` the first group is fresh, and then one earlier path after another is copied, the
    most suitable first; with ``copies`` every group is a copy.
    """
    pool, width, ranked = beginning.pool, beginning.width, list(beginning.ranked)
    free = [(~layer.frozen).nonzero().flatten().tolist() for layer in pool.layers]
    n_groups = min(len(modules) for modules in free) // width
    sources: list[int | None] = [None]
    if beginning.initial_modules != "fresh" and ranked:
        sources = [] if beginning.initial_modules == "copies" else [None]
        sources += [ranked[i % len(ranked)] for i in range(max(n_groups, 1) - len(sources))]
    starts: list[Start] = []
    for g, source in enumerate(sources[: max(n_groups, 1)]):
        groups = [modules[g * width : (g + 1) * width] for modules in free]
        if source is not None:
            _copy(pool, beginning.learned[source], groups)
        rows = tuple(_filled(group, width) for group in groups)
        if source not in {start.copy_of for start in starts}:
            starts.append(Start(rows, source))
    return starts


def _filled(modules: list[int], width: int) -> tuple[int, ...]:
    """A row of ``width`` genes; where there are too few modules, the first repeats."""
    some = modules or [0]
    return (*some, *some[:1] * (width - len(some)))


def _copy(pool: ModulePool, path: Path, groups: list[list[int]]) -> None:
    """Copy a path's modules onto groups of free ones; those that are left over stay fresh."""
    for i, (modules, targets) in enumerate(zip(path, groups, strict=True)):
        for source, target in zip(modules, targets, strict=False):
            pool.duplicate(i, source, target)
