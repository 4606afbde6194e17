"""Curves over seeds: each seed's values on one grid, with their mean and its interval."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from pathnet_evo.analysis.statistics import ANY, Range, mean_interval

BAND = 3
"""The fewest seeds whose mean has an interval: that of two is wider than any picture."""

POINTS = 240
"""The most points of a curve: more than a screen shows apart."""

Line: TypeAlias = tuple[Sequence[float], Sequence[float | None]]
"""Ascending x, and a value for each."""


@dataclass(frozen=True)
class Curve:
    """Lines of several seeds on one grid.

    Args:
        x: the grid.
        seeds: for each seed its value at each x; None before its first and after its last.
        mean: their mean where all of them have a value.
        low: lower end of the mean's 95 % interval; None with fewer than ``BAND`` seeds.
        high: its upper end.
    """

    x: list[float] = field(default_factory=list)
    seeds: dict[int, list[float | None]] = field(default_factory=dict)
    mean: list[float | None] = field(default_factory=list)
    low: list[float | None] = field(default_factory=list)
    high: list[float | None] = field(default_factory=list)


def curve(lines: Mapping[int, Line], within: Range = ANY) -> Curve:
    """Put lines of seeds, each with an x of its own, on a grid of at most ``POINTS``.

    Args:
        lines: by seed.
        within: what the values can be.
    """
    lines = {seed: line for seed, line in lines.items() if len(line[0])}
    if not lines:
        return Curve()
    grid = _grid(sorted({x for xs, _ in lines.values() for x in xs}))
    seeds = {seed: [_at(line, x) for x in grid] for seed, line in lines.items()}
    mean: list[float | None] = []
    low: list[float | None] = []
    high: list[float | None] = []
    for column in zip(*seeds.values(), strict=True):
        values = [v for v in column if v is not None]
        whole = len(values) == len(column)
        middle, interval = mean_interval(values, within) if whole else (None, None)
        if len(values) < BAND:
            interval = None
        mean.append(middle)
        low.append(interval[0] if interval else None)
        high.append(interval[1] if interval else None)
    return Curve(grid, seeds, mean, low, high)


def trailing_means(values: Sequence[float | None], window: int) -> list[float | None]:
    """After each value the mean over the last ``window``, or over as many as there are.

    The first few, a quarter of a window at the most, are None: they would be noise.
    """
    few = min(window, len(values)) // 4
    means: list[float | None] = []
    total, finite = 0.0, 0
    for i, value in enumerate(values):
        dropped = values[i - window] if i >= window else None
        total += (value or 0.0) - (dropped or 0.0)
        finite += (value is not None) - (dropped is not None)
        means.append(total / finite if finite and i >= few else None)
    return means


def _grid(xs: list[float]) -> list[float]:
    """At most ``POINTS`` of ascending values, the last among them."""
    step = -(-len(xs) // POINTS)
    return xs if step <= 1 else [*xs[:-1:step], xs[-1]]


def _at(line: Line, x: float) -> float | None:
    """The latest value at x; none before the first nor after the last."""
    xs, values = line
    i = bisect_right(xs, x) - 1
    return None if i < 0 or x > xs[-1] else values[i]
