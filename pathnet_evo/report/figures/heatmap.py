"""A matrix of ratios, such as the speed-up of each source on each target (figure 5-1)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from pathnet_evo.report.figures.style import COLUMN, SOFT, wrapped
from pathnet_evo.values.readable import times


def matrix(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    title: str = "",
) -> Figure:
    """Ratios as shaded cells with their numbers: above 1 one way, below 1 the other.

    Args:
        rows: names of the rows.
        columns: names of the columns.
        values: for each row a ratio a column; None where there is none.
        title: what the ratios are.
    """
    lines = max((wrapped(name, 14).count("\n") for name in columns), default=0)
    height = 0.9 + 0.34 * len(rows) + 0.12 * lines
    figure = Figure(figsize=(COLUMN, height), layout="constrained")
    axes = figure.add_subplot()
    logs = [[math.log2(v) if v else math.nan for v in row] for row in values]
    most = max((abs(v) for row in logs for v in row if not math.isnan(v)), default=1.0) or 1.0
    axes.imshow(logs, cmap="PRGn", vmin=-1.6 * most, vmax=1.6 * most, aspect="auto")
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            axes.text(j, i, times(value), ha="center", va="center", fontsize=7)
    axes.set_xticks(range(len(columns)), [wrapped(name, 14) for name in columns])
    axes.set_yticks(range(len(rows)), [wrapped(name, 20) for name in rows])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_color(SOFT)
    axes.set_title(title)
    return figure
