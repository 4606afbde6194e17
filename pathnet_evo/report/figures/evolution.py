"""Where a winner comes from, and how much of what is frozen the population reuses."""

from __future__ import annotations

import math

from matplotlib.figure import Figure

from pathnet_evo.report.data import ReportData, StageView
from pathnet_evo.report.data.genealogy import genealogy
from pathnet_evo.report.figures.learning import draw_mean
from pathnet_evo.report.figures.style import (
    PATH,
    SOFT,
    colour_of,
    drawable,
    legend,
    panel,
    title,
)


def ancestry(view: StageView, fitness_name: str) -> Figure:
    """Fitness of the winner's ancestors over all evaluations of a stage."""
    figure, axes = panel(2.2)
    fitnesses = [drawable(t.fitness) for t in view.history.told]
    numbers = range(1, len(fitnesses) + 1)
    axes.plot(numbers, fitnesses, ".", color=SOFT, alpha=0.3, markersize=1.5, rasterized=True)
    ancestors = genealogy(view.history)
    line = [(a.evaluation + 1, drawable(a.fitness)) for a in ancestors if a.fitness is not None]
    if line:
        x, y = zip(*line, strict=True)
        axes.plot(x, y, "o-", color=PATH, linewidth=1.1, markersize=3)
        axes.plot(x[-1:], y[-1:], "*", color=PATH, markersize=8)
    axes.set_title(title(view.stage, view.name, arm=view.arm, seed=view.seed))
    axes.set_xlabel("evaluations")
    axes.set_ylabel(fitness_name)
    axes.grid(axis="y")
    return figure


def reuse(data: ReportData, stage: int) -> Figure | None:
    """The population's overlap with frozen modules, compared with chance; None if none are."""
    curves = {arm: curve for arm in data.arms if (curve := data.overlap(arm, stage)).x}
    if not curves:
        return None
    figure, axes = panel(2.1, [*curves, ""])
    for row, (arm, curve) in enumerate(curves.items()):
        k = data.arms.index(arm)
        mean = [math.nan if v is None else 100 * v for v in curve.mean]
        draw_mean(axes, curve.x, mean, k, arm, row, len(curves))
        chances = [v.overlap_chance for v in data.of(arm, stage) if v.overlap_chance]
        level = 100 * sum(chances) / len(chances)
        axes.axhline(level, color=colour_of(k), linewidth=0.6, linestyle=(0, (2, 2)))
    axes.set_ylim(bottom=0)
    axes.set_title(title(stage, data.stages[stage]["name"]))
    axes.set_xlabel("evaluations")
    axes.set_ylabel("frozen share of a path, %")
    axes.grid(axis="y")
    legend(figure, title="fine dots: by chance", title_fontsize=7)
    return figure
