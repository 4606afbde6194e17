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
    ARM_COLOURS,
    ARM_LINES,
    ARM_MARKERS,
    INK,
    SOFT,
    drawable,
    of,
    panel,
    short,
    title,
)


def learning_curve(data: ReportData, stage: int) -> Figure:
    """All arms on a stage: seeds thin, their mean thick, a band for its interval."""
    figure, axes = panel(2.4)
    about = data.stages[stage]
    for k, arm in enumerate(data.arms):
        _draw_curve(axes, data.curve(arm, stage), k, arm)
    view = next(view for view in data.views if view.stage == stage)
    levels = {"threshold": about["threshold"], "random actions": view.history.random_baseline}
    for name, level in levels.items():
        if level is not None:
            axes.axhline(level, color=SOFT, linewidth=0.7, linestyle=(0, (2, 2)))
            place: dict[str, Any] = {
                "xycoords": ("axes fraction", "data"),
                "ha": "right",
                "va": "bottom",
            }
            axes.annotate(name, (1, level), fontsize=6.5, color=SOFT, **place)
    axes.set_title(title(stage, about["name"]))
    axes.set_xlabel(view.counted)
    axes.set_ylabel(f"{about['fitness_name']}, smoothed")
    axes.set_xlim(left=0)
    axes.grid(axis="y")
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _draw_curve(axes: Axes, curve: Curve, k: int, arm: str) -> None:
    if not curve.x:
        return
    colour = of(ARM_COLOURS, k)
    if len(curve.seeds) > 1:
        for values in curve.seeds.values():
            axes.plot(curve.x, _numbers(values), color=colour, linewidth=0.4, alpha=0.45)
    low, high = _numbers(curve.low), _numbers(curve.high)
    axes.fill_between(curve.x, low, high, color=colour, alpha=0.13, linewidth=0)
    line = {"color": colour, "linestyle": of(ARM_LINES, k), "linewidth": 1.4}
    axes.plot(curve.x, _numbers(curve.mean), label=short(arm, 24), **line)


def scores(data: ReportData, stage: int) -> Figure:
    """Each arm's test score right after a stage: seeds small, the mean with its interval."""
    figure, axes = panel(2.2)
    about = data.stages[stage]
    score = about["score"] or ""
    percent = "accuracy" in score
    for k, arm in enumerate(data.arms):
        result = data.summary["arms"][arm]["stages"][stage]["scores"].get(score)
        if result is not None and result["mean"] is not None:
            _draw_score(axes, result, k, 100 if percent else 1)
    axes.set_xlim(-0.6, len(data.arms) - 0.3)
    axes.set_xticks(range(len(data.arms)), [short(arm, 14) for arm in data.arms])
    axes.tick_params(axis="x", length=0, labelrotation=30 if len(data.arms) > 4 else 0)
    axes.set_title(title(stage, about["name"]))
    axes.set_ylabel(score.replace("_", " ") + (", %" if percent else ""))
    axes.grid(axis="y")
    axes.margins(y=0.15)
    return figure


def _draw_score(axes: Axes, result: OverSeeds, k: int, unit: float) -> None:
    colour = of(ARM_COLOURS, k)
    values = [drawable(unit * v) for v in result["seeds"].values() if v is not None]
    if len(values) > 1:
        spread = [k - 0.24 + 0.05 * (i % 3 - 1) for i in range(len(values))]
        axes.plot(spread, values, ".", color=colour, alpha=0.55, markersize=3)
    mean = math.nan if result["mean"] is None else drawable(unit * result["mean"])
    if math.isnan(mean):
        return
    if result["interval"] is not None:
        low, high = (unit * end for end in result["interval"])
        reach = [[mean - low], [high - mean]]
        axes.errorbar([k], [mean], yerr=reach, color=colour, capsize=3, linewidth=1.2)
    axes.plot([k], [mean], of(ARM_MARKERS, k), color=colour, markersize=5)
    offset: dict[str, Any] = {"xytext": (5, 0), "textcoords": "offset points", "va": "center"}
    axes.annotate(f"{mean:.3g}", (k, mean), fontsize=6.5, color=INK, **offset)


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [math.nan if v is None else drawable(v) for v in values]
