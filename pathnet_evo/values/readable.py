"""Numbers as people read them: shares in percent, thousands apart, no digits that mean nothing."""

from __future__ import annotations

from collections.abc import Sequence

LARGE = 1e15
"""Numbers from here on are shown with an exponent."""
NOTHING, TIMES = "\N{EN DASH}", "\N{MULTIPLICATION SIGN}"


def shown(value: float | None, name: str = "", sign: bool = False) -> str:
    """A number for readers: accuracies in percent, their differences (``sign``) in points."""
    if value is None:
        return NOTHING
    plus = "+" if sign else ""
    if "accuracy" in name and abs(value) < 1e6:
        unit = "points" if sign else "%"
        return f"{100 * value:{plus}.1f} {unit}" if value else f"0 {unit}"
    if 10_000 <= abs(value) < LARGE:
        return f"{value:{plus},.0f}"
    return f"{value:{plus}.4g}" if value else "0"


def shown_interval(interval: Sequence[float] | None, name: str = "", sign: bool = False) -> str:
    """``35.1 % to 36.3 %``, or empty."""
    if interval is None:
        return ""
    low, high = (shown(end, name, sign) for end in interval)
    if sign:
        low = low.removesuffix(" points")
    return f"{low} to {high}"


def times(value: float | None, digits: int = 2) -> str:
    """A speed-up, such as 1.18 times."""
    if value is None:
        return NOTHING
    return (f"{value:.{digits}f}" if value < 1e6 else f"{value:.3g}") + TIMES
