"""Freeze: PathNet's transfer (Fernando et al. 2017, section 2.2)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, repeat
from typing import ClassVar

from pathnet_evo.core.genotype import Path
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.interfaces.policies import Beginning, Grown, Start, TransferPolicy, redraw


class Freeze(TransferPolicy):
    """Freeze a stage's best path; re-initialise the rest, or turn it into copies."""

    freezes: ClassVar[bool] = True
    listens: ClassVar[bool] = True
    remembers: ClassVar[bool] = True

    def begin(self, beginning: Beginning) -> tuple[list[Start], list[Grown]]:
        """Make room, re-initialise free modules, and prepare starts on them."""
        grown = _make_room(beginning)
        redraw(beginning, keep_frozen=True)
        return _lay_out(beginning), grown

    def end(self, pool: ModulePool, path: Path) -> None:
        """Freeze the path."""
        pool.freeze(path)


def _make_room(beginning: Beginning) -> list[Grown]:
    """Find layers with too few free modules, and grow them if so configured."""
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
    """Groups of N free modules per layer: fresh ones, and copies of earlier paths.

    ``mixed`` first prepares the wanted starts, which can race, then alternates fresh groups and
    copies; with ``copies``, every group copies an earlier path, in turn.
    """
    pool, width = beginning.pool, beginning.width
    free = [(~layer.frozen).nonzero().flatten().tolist() for layer in pool.layers]
    n_groups = max(min(len(modules) for modules in free) // width, 1)
    starts: list[Start] = []
    n_starts = len(beginning.wanted) if beginning.initial_modules == "mixed" else n_groups
    for g, source in zip(range(n_groups), _sources(beginning), strict=False):
        groups = [modules[g * width : (g + 1) * width] for modules in free]
        copied = None
        if source is not None:
            copied = beginning.copied_layers.get(source)
            path = beginning.learned[source][:copied]
            _copy(pool, path, groups, beginning.copied_share)
        if g < n_starts and source not in {start.copy_of for start in starts}:
            rows = tuple(_filled(group, width) for group in groups)
            starts.append(Start(rows, source, copied_layers=copied))
    return starts


def _sources(beginning: Beginning) -> Iterator[int | None]:
    """The source of each group: a stage to copy, or None."""
    ranked = list(beginning.ranked)
    match beginning.initial_modules if ranked else "fresh":
        case "copies":
            yield from cycle(ranked)
        case "mixed":
            yield from beginning.wanted
            yield from cycle([*{None: 0, **dict.fromkeys(beginning.wanted)}])
        case _:
            yield from repeat(None)


def _filled(modules: list[int], width: int) -> tuple[int, ...]:
    """A row of ``width`` genes; if there are too few modules, the first repeats."""
    some = modules or [0]
    return (*some, *some[:1] * (width - len(some)))


def _copy(pool: ModulePool, path: Path, groups: list[list[int]], share: float) -> None:
    """Copy a path's modules, from the input on, onto groups of free ones; the rest stay fresh."""
    for i, (modules, targets) in enumerate(zip(path, groups, strict=False)):
        for source, target in zip(modules, targets, strict=False):
            pool.duplicate(i, source, target, share)
