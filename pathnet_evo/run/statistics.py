"""Means over seeds, their intervals, and paired tests, as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from scipy.special import stdtr, stdtrit


def statistic(
    values: Mapping[int, float | None], within: tuple[float, float] = (-math.inf, math.inf)
) -> dict[str, Any]:
    """Values by seed with their mean and its 95 % interval (Student's t over seeds).

    Args:
        values: by seed; what is None or not finite is shown as None and left out.
        within: the least and the greatest that the mean can be: the interval ends there.

    Returns:
        ``seeds``, ``n``, ``mean`` and ``interval``, which is None with fewer than two values.
    """
    finite = [v for v in values.values() if v is not None and math.isfinite(v)]
    mean, interval = mean_interval(finite)
    if interval:
        interval = [min(max(end, within[0]), within[1]) for end in interval]
    seeds = {str(seed): plain_numbers(value) for seed, value in values.items()}
    return {"seeds": seeds, "n": len(finite), "mean": mean, "interval": interval}


def score_statistic(name: str, values: Mapping[int, float | None]) -> dict[str, Any]:
    """The statistic of a score, whose name tells what it can be: an accuracy is of 0 to 1."""
    return statistic(values, (0.0, 1.0)) if "accuracy" in name else statistic(values)


def mean_interval(values: Sequence[float]) -> tuple[float | None, list[float] | None]:
    """The mean and its 95 % interval; None where there are too few values."""
    n = len(values)
    if n == 0:
        return None, None
    mean = average(values)
    if n == 1:
        return mean, None
    reach = float(stdtrit(n - 1, 0.975)) * _deviation(values, mean) / math.sqrt(n)
    interval = [mean - reach, mean + reach]
    return mean, interval if all(map(math.isfinite, interval)) else None


def average(values: Sequence[float]) -> float:
    """The mean; right for numbers that are too large to be added, and not finite if one is not."""
    n = len(values)
    try:
        return math.fsum(values) / n
    except (OverflowError, ValueError):
        return sum(v / n for v in values)


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


def plain_numbers(value: Any) -> Any:
    """The same data with None for every number that JSON does not have."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: plain_numbers(v) for key, v in value.items()}
    return [plain_numbers(v) for v in value] if isinstance(value, list | tuple) else value
