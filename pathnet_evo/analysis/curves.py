"""Learning curves against frames, and the areas under them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pathnet_evo.analysis.statistics import average

POINTS = 100
"""Number of equal bins of a stage's frames, each a point of a learning curve."""


def learning_curve(
    episodes: Sequence[tuple[int, float]], chance: float, frames: int, points: int = POINTS
) -> list[float]:
    """The mean score of the episodes that ended in each bin of a stage's frames.

    A part in which none ended has the value of the part before it; before the first end nothing is
    known, and the value is that of chance.

    Args:
        episodes: the frames that the stage had used when each ended, and its score.
        chance: the score of random actions.
        frames: how long the curve is; episodes that ended later are left out. The part k, from 0,
            has the ends after ``k * frames / points`` and up to ``(k + 1) * frames / points``.
        points: how many parts.
    """
    parts: list[list[float]] = [[] for _ in range(points)]
    for at, score in episodes:
        if 0 < at <= frames:
            parts[(at * points + frames - 1) // frames - 1].append(score)
    curve, value = [], chance
    for scores in parts:
        value = average(scores) if scores else value
        curve.append(value)
    return curve


def area_speed_up(
    arm: Sequence[tuple[int, float]],
    control: Sequence[tuple[int, float]],
    chance: float,
    frames: int,
) -> dict[str, Any]:
    """The area between an arm's learning curve and random actions, divided by the control's.

    Areas are divided by the frames, so each is by how much the mean score of the curve lies above
    that of chance. There is no ratio where the control's area is not positive, or one of the two
    is not finite.

    Args:
        arm: its episodes, as ``learning_curve`` takes them.
        control: the same of the control.
        chance: the score of random actions.
        frames: of the stage that both curves cover.

    Returns:
        ``value``, the ratio or None; ``difference`` of the areas; the areas of ``arm`` and
        ``control``; and ``censored``, which is None: nobody has to reach anything.
    """
    ours, theirs = (
        average(learning_curve(episodes, chance, frames)) - chance for episodes in (arm, control)
    )
    return {
        "value": ours / theirs if 0 < theirs < math.inf and math.isfinite(ours) else None,
        "censored": None,
        "difference": ours - theirs,
        "arm": ours,
        "control": theirs,
    }
