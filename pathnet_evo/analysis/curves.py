"""Learning curves, smoothed or in bins of frames, and the areas under them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from pathnet_evo.analysis.statistics import average

POINTS = 100
"""Number of equal bins of a stage's frames, each a point of a learning curve."""


def learning_curve(
    episodes: Sequence[tuple[int, float]],
    chance: float,
    frames: int,
    points: int = POINTS,
    early_end: tuple[int, float] | None = None,
) -> list[float]:
    """The mean score of the episodes that ended in each bin of a stage's frames.

    A part in which none ended has the value of the part before it; before the first end nothing is
    known, and the value is that of chance. Where a stage ended early, nothing is learned for the
    rest of its budget, and the value is that of the path it froze.

    Args:
        episodes: the frames that the stage had used when each ended, and its score.
        chance: the score of random actions.
        frames: how long the curve is; episodes that ended later are left out. The part k, from 0,
            has the ends after ``k * frames / points`` and up to ``(k + 1) * frames / points``.
        points: how many parts.
        early_end: the frames used when the stage ended, and the fitness of the path it froze; None
            if it used up its budget.
    """
    parts: list[list[float]] = [[] for _ in range(points)]
    for at, score in episodes:
        if 0 < at <= frames:
            parts[(at * points + frames - 1) // frames - 1].append(score)
    end, fitness = early_end or (frames, chance)
    curve: list[float] = []
    value = chance
    for k, scores in enumerate(parts):
        if k * frames >= end * points:
            value = fitness
        elif scores:
            value = average(scores)
        curve.append(value)
    return curve


def area_speed_up(arm: Sequence[float], control: Sequence[float], chance: float) -> dict[str, Any]:
    """The area between an arm's learning curve and random actions, divided by the control's.

    Areas are divided by the frames, so each is by how much the mean score of the curve lies above
    that of chance. There is no ratio where the control's area is not positive, or one of the two
    is not finite.

    Args:
        arm: its learning curve, as ``learning_curve`` makes it.
        control: that of the control, over the same frames.
        chance: the score of random actions.

    Returns:
        ``value``, the ratio or None; ``difference`` of the areas; the areas of ``arm`` and
        ``control``; and ``censored``, which is None: nobody has to reach anything.
    """
    ours, theirs = (average(curve) - chance for curve in (arm, control))
    return {
        "value": ours / theirs if 0 < theirs < math.inf and math.isfinite(ours) else None,
        "censored": None,
        "difference": ours - theirs,
        "arm": ours,
        "control": theirs,
    }


def smoothing_window(evaluations: int) -> int:
    """Smoothing window of a learning curve: a tenth of its evaluations, at least 20."""
    return max(20, round(evaluations / 10))


def evaluations_within(budget: int, by_frames: bool, sizes: Sequence[int]) -> int:
    """Evaluations that a stage's budget holds.

    Args:
        budget: evaluations, or examples or frames if ``by_frames``.
        by_frames: what the budget counts.
        sizes: examples or frames of each evaluation so far; the others are taken to be of their
            mean size.
    """
    if not by_frames:
        return budget
    return round(budget * len(sizes) / used) if (used := sum(sizes)) else len(sizes)


def smoothed(fitnesses: Sequence[float | None], window: int) -> list[float | None]:
    """Trailing means over ``window`` evaluations, from the first full window on.

    Failed evaluations count as evaluations and are left out of the mean, as is what is not finite.
    """
    values = [f if f is not None and math.isfinite(f) else None for f in fitnesses]
    sums = [0.0, *accumulate(0.0 if f is None else f for f in values)]
    finite = [0, *accumulate(f is not None for f in values)]
    return [
        (sums[end] - sums[end - window]) / n if (n := finite[end] - finite[end - window]) else None
        for end in range(window, len(fitnesses) + 1)
    ]


def mean_over_budget(
    fitnesses: Sequence[float | None],
    used: Sequence[int],
    budget: int,
    window: int,
    baseline: float | None = None,
) -> float:
    """The mean fitness over a stage's whole budget, whether the stage used it or ended early.

    A fitness counts for the share of the budget that its evaluation used. Failed evaluations, and
    the rest of the budget after the last one, count with the smoothed fitness so far: the mean of
    the last ``window`` fitnesses.

    Args:
        fitnesses: of each evaluation; None where it failed.
        used: what each evaluation used of the budget.
        budget: of the stage; what exceeds it is left out.
        window: see ``smoothing_window``.
        baseline: the fitness before the first one; None leaves that part out.

    Returns:
        NaN if nothing is known.
    """
    known: list[float] = []
    parts: list[tuple[float, int]] = []
    left = budget

    def level() -> float | None:
        return average(known[-window:]) if known else baseline

    for fitness, size in zip(fitnesses, used, strict=True):
        share = min(size, left)
        left -= share
        if fitness is not None:
            known.append(fitness)
        if (value := level() if fitness is None else fitness) is not None:
            parts.append((value, share))
    if (value := level()) is not None:
        parts.append((value, left))
    total = sum(share for _, share in parts)
    return math.fsum(value * share for value, share in parts) / total if total else math.nan
