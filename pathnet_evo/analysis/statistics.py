"""Means over seeds, their intervals, and paired tests, as plain data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from scipy.special import stdtr, stdtrit

from pathnet_evo.values.numbers import plain_numbers

Range: TypeAlias = tuple[float, float]
"""Bounds of a quantity."""

ANY: Range = (-math.inf, math.inf)
AMOUNT: Range = (0.0, math.inf)
"""Counts and seconds."""
SHARE: Range = (0.0, 1.0)


def score_range(name: str, returned: Range = ANY) -> Range:
    """Bounds of a score or fitness, from its name: an accuracy is a share.

    Args:
        name: such as ``test_accuracy`` or ``mean_return``.
        returned: the least and the greatest return that were observed. Environments do not say
            what they can return, so a mean return is taken to lie between these; a difference of
            returns is not.
    """
    if "accuracy" in name:
        return SHARE
    return returned if "return" in name else ANY


def extent(values: Iterable[float | None]) -> Range:
    """The range of the finite values, or ``ANY`` without any."""
    known = finite_values(values)
    return (min(known), max(known)) if known else ANY


def statistic(values: Mapping[int, float | None], within: Range = ANY) -> dict[str, Any]:
    """Values by seed with their mean and its 95 % interval; see ``mean_interval``.

    Args:
        values: by seed; what is None or not finite is shown as None and left out.
        within: what the values can be.

    Returns:
        ``seeds``, ``n``, ``mean`` and ``interval``, which is None with fewer than two values.
    """
    return _over_seeds(values, *mean_interval(finite_values(values.values()), within))


def difference_statistic(values: Mapping[int, float | None], within: Range = ANY) -> dict[str, Any]:
    """Differences by seed, as in ``statistic``, with the interval of the paired t test.

    Args:
        values: by seed, one minus another of two quantities.
        within: what either quantity can be; the interval ends where no difference can be. Bounds
            that were only observed are none.
    """
    known = finite_values(values.values())
    mean, interval = mean_interval(known)
    return _over_seeds(values, mean, cut(interval, within, known))


def cut(
    interval: Sequence[float] | None, within: Range, differences: Iterable[float]
) -> list[float] | None:
    """An interval of a difference between two quantities, clipped to possible values.

    Args:
        interval: its ends, or None.
        within: what either quantity can be.
        differences: those that were measured; all of them are possible.
    """
    most = max(within[1] - within[0], *map(abs, differences), 0.0)
    return None if interval is None else [min(max(end, -most), most) for end in interval]


def mean_interval(
    values: Sequence[float], within: Range = ANY
) -> tuple[float | None, list[float] | None]:
    """The mean and its 95 % interval over seeds, or None with too few values.

    Student's t. Where values have bounds it is taken on the scale on which their spread does not
    depend on their mean, by the delta method, and brought back: that of square roots above one
    bound, that of arcsines of square roots between two. So no end lies out of bounds.

    Args:
        values: one a seed.
        within: what they can be; a value outside widens it.
    """
    n = len(values)
    if n == 0:
        return None, None
    mean = average(values)
    if n == 1:
        return mean, None
    reach = float(stdtrit(n - 1, 0.975)) * _deviation(values, mean) / math.sqrt(n)
    interval = _around(mean, reach, min(within[0], *values), max(within[1], *values))
    return mean, interval if all(map(math.isfinite, interval)) else None


def _around(mean: float, reach: float, low: float, high: float) -> list[float]:
    """The interval around a mean, from the half-width of its Student's t interval."""
    if reach == 0 or not low < mean < high:  # all values are equal, but for rounding
        return [mean, mean]
    if math.isinf(low):
        return [mean - reach, mean + reach]
    if math.isinf(high):
        root = math.sqrt(mean - low)
        width = reach / (2 * root)
        return [low + end * end for end in (max(root - width, 0), root + width)]
    half = high / 2 - low / 2  # of the largest numbers a difference has no value
    share = (mean / 2 - low / 2) / half
    spread = math.sqrt(share * (1 - share))
    if spread == 0:
        return [max(mean - reach, low), min(mean + reach, high)]
    width = reach / half / (4 * spread)
    angles = [math.asin(math.sqrt(share)) + way * width for way in (-1, 1)]
    ends = [math.sin(min(max(angle, 0), math.pi / 2)) ** 2 for angle in angles]
    return [low + half * end + half * end for end in ends]


def average(values: Sequence[float]) -> float:
    """The mean, without overflow; not finite if a value is not."""
    n = len(values)
    try:
        return math.fsum(values) / n
    except (OverflowError, ValueError):
        return sum(v / n for v in values)


def finite_values(values: Iterable[float | None]) -> list[float]:
    """The finite values, in order."""
    return [v for v in values if v is not None and math.isfinite(v)]


def _over_seeds(
    values: Mapping[int, float | None], mean: float | None, interval: list[float] | None
) -> dict[str, Any]:
    seeds = {str(seed): plain_numbers(value) for seed, value in values.items()}
    return {
        "seeds": seeds,
        "n": len(finite_values(values.values())),
        "mean": mean,
        "interval": interval,
    }


def paired_p(differences: Sequence[float]) -> float | None:
    """Two-sided p value of the paired t test; None with fewer than two pairs or no variance."""
    n = len(differences)
    if n < 2:
        return None
    mean = average(differences)
    deviation = _deviation(differences, mean)
    if deviation <= 1e-12 * max(abs(mean), 1e-300):
        return None
    return float(2 * stdtr(n - 1, -abs(mean) / (deviation / math.sqrt(n))))


def _deviation(values: Sequence[float], mean: float) -> float:
    try:
        return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))
    except OverflowError:  # squares of numbers beyond 1e154
        most = max(map(abs, values))
        return most * _deviation([v / most for v in values], mean / most)
