"""Which way a difference goes, and how far the number of comparisons lets one say so."""

from __future__ import annotations

from collections.abc import Sequence

LEVEL = 0.05
"""The largest p value, corrected for the number of comparisons, of a verdict without doubt."""
DOUBT = "possibly "
"""Before a verdict that the interval alone supports, which no correction allows for."""


def verdict(
    interval: Sequence[float], p_holm: float | None, neutral: float = 0.0
) -> tuple[int, str]:
    """Judge a difference, or a ratio.

    Args:
        interval: its 95 % interval.
        p_holm: its p value with Holm's correction; None where there is no test, as without
            variance.
        neutral: its value if neither is better.

    Returns:
        1, -1, or 0 where the interval does not tell; and ``DOUBT`` or an empty text.
    """
    sign = (interval[0] > neutral) - (interval[1] < neutral)
    return sign, "" if p_holm is not None and p_holm <= LEVEL else DOUBT


def correction(p_holm: float | None) -> str:
    """A corrected p value in words; empty without a test."""
    return "" if p_holm is None else f"p = {p_holm:.2g} with Holm's correction"
