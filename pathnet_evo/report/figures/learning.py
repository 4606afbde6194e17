"""Learning curves and scores of all arms, a figure a stage (the paper's figures 4 and 5-2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pathnet_evo.interfaces.summary import OverSeeds
from pathnet_evo.report.data import Curve, ReportData
from pathnet_evo.report.figures.style import (
    INK,
    LEGEND,
    SOFT,
    colour_of,
    drawable,
    legend,
    line_of,
    marker_of,
    panel,
    title,
    wrapped,
)

BANDED = 2
"""Arms whose intervals are bands: more of them would merge into grey."""
BARRED = 5
"""Arms whose intervals are bars: more of them would hide the curves."""
MARKED = 6
"""Places of a curve that carry its arm's marker."""
ROOM = 0.08
"""Share of an axis that is left free at each end."""
WIDEN = 0.6
"""How far intervals may widen the axis of scores, as a share of what the seeds span."""


def learning_curve(data: ReportData, stage: int) -> Figure:
    """All arms on a stage: seeds thin, their mean thick, and its interval.

    Intervals are bands of one or two arms, or bars of up to five. They do not rule the axis.
    """
    curves = {arm: curve for arm in data.arms if (curve := data.curve(arm, stage)).x}
    figure, axes = panel(2.1, [*curves])
    about = data.stages[stage]
    for row, (arm, curve) in enumerate(curves.items()):
        _draw_curve(axes, curve, data.arms.index(arm), arm, row, len(curves))
    view = next(view for view in data.views if view.stage == stage)
    levels = {"threshold": about["threshold"], "random actions": view.history.random_baseline}
    known = {name: level for name, level in levels.items() if level is not None}
    lines = [c.mean for c in curves.values()] + [
        s for c in curves.values() for s in c.seeds.values()
    ]
    low, high = _span([v for line in lines for v in line] + [*known.values()])
    axes.set_ylim(low - ROOM * (high - low), high + ROOM * (high - low))
    _draw_levels(axes, known)
    axes.set_title(title(stage, about["name"]))
    axes.set_xlabel(view.counted)
    axes.set_ylabel(f"{about['fitness_name']}, smoothed")
    axes.set_xlim(left=0)
    axes.grid(axis="y")
    legend(figure)
    return figure


def _draw_levels(axes: Axes, levels: dict[str, float]) -> None:
    """Horizontal lines; the higher one has its name above it, the lower one below."""
    for i, (name, level) in enumerate(sorted(levels.items(), key=lambda item: -item[1])):
        axes.axhline(level, color=SOFT, linewidth=0.7, linestyle=(0, (2, 2)))
        below = i > 0
        place: dict[str, Any] = {
            "xycoords": ("axes fraction", "data"),
            "xytext": (0, -1.5 if below else 1.5),
            "textcoords": "offset points",
            "ha": "right",
            "va": "top" if below else "bottom",
            "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.75},
        }
        axes.annotate(name, (1, level), fontsize=6.5, color=SOFT, **place)


def _draw_curve(axes: Axes, curve: Curve, k: int, arm: str, row: int, rows: int) -> None:
    """A curve, the ``row``-th of ``rows``: no two of them have markers at one place."""
    colour, mean = colour_of(k), _numbers(curve.mean)
    low, high = _numbers(curve.low), _numbers(curve.high)
    if len(curve.seeds) > 1:
        alpha = 0.12 if rows > BARRED else 0.25 if rows > BANDED else 0.45
        for values in curve.seeds.values():
            axes.plot(curve.x, _numbers(values), color=colour, linewidth=0.4, alpha=alpha)
    if rows <= BANDED:
        axes.fill_between(curve.x, low, high, color=colour, alpha=0.15, linewidth=0)
    at = draw_mean(axes, curve.x, mean, k, arm, row, rows)
    bars = [i for i in at if BANDED < rows <= BARRED and not math.isnan(low[i])]
    if bars:
        reach = [[mean[i] - low[i] for i in bars], [high[i] - mean[i] for i in bars]]
        x, y = [curve.x[i] for i in bars], [mean[i] for i in bars]
        look: dict[str, Any] = {"elinewidth": 0.6, "capsize": 1.5, "capthick": 0.6, "alpha": 0.8}
        axes.errorbar(x, y, yerr=reach, fmt="none", ecolor=colour, **look)


def draw_mean(
    axes: Axes,
    x: Sequence[float],
    mean: Sequence[float],
    k: int,
    arm: str,
    row: int = 0,
    rows: int = 1,
) -> list[int]:
    """An arm's line with its markers.

    Args:
        axes: where to.
        x: ascending.
        mean: a value for each; NaN where there is none.
        k: the arm's index.
        arm: its name.
        row: its place among the curves of the picture.
        rows: how many these are: no two of them have markers at one place.

    Returns:
        The indices of its markers.
    """
    line: dict[str, Any] = {"color": colour_of(k), "linestyle": line_of(k), "linewidth": 1.3}
    marker: dict[str, Any] = {"marker": marker_of(k), "markersize": 4, "markeredgecolor": "white"}
    known = [i for i, value in enumerate(mean) if not math.isnan(value)]
    at = sorted(
        {known[int((n + (row + 0.5) / rows) / MARKED * len(known))] for n in range(MARKED)}
        if known
        else ()
    )
    axes.plot(
        x, mean, label=wrapped(arm, LEGEND), markevery=at, markeredgewidth=0.4, **line, **marker
    )
    return at


def scores(data: ReportData, stage: int) -> Figure:
    """Each arm's test score right after a stage: seeds small, their mean with its interval."""
    about = data.stages[stage]
    score = about["score"] or ""
    percent = "accuracy" in score
    found = [
        (arm, result)
        for arm in data.arms
        if (result := data.summary["arms"][arm]["stages"][stage]["scores"].get(score)) is not None
        and result["mean"] is not None
    ]
    names = [wrapped(arm, 24) for arm, _ in found]
    lines = max([1, *(name.count("\n") + 1 for name in names)])
    figure, axes = panel(0.75 + max(0.25, 0.12 * lines + 0.06) * len(found))
    for row, (arm, result) in enumerate(found):
        _draw_score(axes, result, data.arms.index(arm), row, 100 if percent else 1)
    axes.set_xlim(*_score_limits([result for _, result in found], percent))
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.set_yticks(range(len(found)), names)
    axes.tick_params(axis="y", length=0)
    axes.set_title(title(stage, about["name"]))
    axes.set_xlabel(score.replace("_", " ") + (", %" if percent else ""))
    axes.grid(axis="x")
    return figure


def _score_limits(found: Sequence[OverSeeds], percent: bool) -> tuple[float, float]:
    """What seeds and means span; intervals widen it, but not beyond recognition."""
    unit = 100 if percent else 1
    low, high = _span(
        [unit * v for r in found for v in [*r["seeds"].values(), r["mean"]] if v is not None]
    )
    room = WIDEN * (high - low)
    ends = [unit * end for result in found for end in result["interval"] or ()]
    least = max(low - room, min([low, *ends]) - ROOM * (high - low))
    most = min(high + room, max([high, *ends]) + ROOM * (high - low))
    return (max(least, -1), min(most, 101)) if percent else (least, most)


def _draw_score(axes: Axes, result: OverSeeds, k: int, row: int, unit: float) -> None:
    colour = colour_of(k)
    values = [drawable(unit * v) for v in result["seeds"].values() if v is not None]
    if len(values) > 1:
        spread = [row + 0.2 + 0.08 * (i % 3) for i in range(len(values))]
        axes.plot(values, spread, ".", color=colour, alpha=0.55, markersize=3)
    mean = math.nan if result["mean"] is None else drawable(unit * result["mean"])
    if math.isnan(mean):
        return
    if result["interval"] is not None:
        low, high = (unit * end for end in result["interval"])
        reach = [[mean - low], [high - mean]]
        axes.errorbar([mean], [row], xerr=reach, color=colour, capsize=2.5, linewidth=1.1)
    axes.plot([mean], [row], marker_of(k), color=colour, markersize=4.5)
    offset: dict[str, Any] = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
    text = f"{mean:.1f}" if unit == 100 else f"{mean:.3g}"
    axes.annotate(
        text, (1, row), xycoords=("axes fraction", "data"), fontsize=6.5, color=INK, **offset
    )


def _span(values: Sequence[float | None]) -> tuple[float, float]:
    """The lowest and the highest of some values; 1 apart if they are all the same."""
    known = [v for v in map(drawable, values) if not math.isnan(v)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [math.nan if v is None else drawable(v) for v in values]
