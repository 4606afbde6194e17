"""The figures of a report, each as inline SVG that follows the page's colours, or as PNG."""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from pathnet_evo.report.data import Curve, PathView, ReportData, Usage

INK, SOFT, GRID, PATH = "#1c2733", "#5a6876", "#d9dfe5", "#0b66a8"
ARM_COLOURS = ("#0b66a8", "#c8500a", "#0a7d5a", "#a8468a", "#8a6d00", "#3d6f80")
ARM_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
ARM_MARKERS = ("o", "s", "^", "D", "v", "P")
VARIABLES = {
    INK: "var(--ink)",
    SOFT: "var(--soft)",
    GRID: "var(--line)",
    **{colour: f"var(--arm-{i})" for i, colour in enumerate(ARM_COLOURS)},
}
"""Colours of a figure, by the page's name for them: so a figure is dark where the page is."""

POINTS = 240
"""The most points of one curve that are drawn."""

STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.5,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.use_mathtext": False,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "hatch.linewidth": 0.9,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "pathnet-evo",
}

ROLES: dict[str, tuple[str, dict[str, Any]]] = {
    "new": ("in the path, newly frozen", {"facecolor": PATH, "edgecolor": PATH}),
    "reused": (
        "in the path, reused from an earlier stage",
        {"facecolor": "none", "edgecolor": PATH, "hatch": "xxxx", "linewidth": 1.8},
    ),
    "frozen": (
        "frozen by an earlier stage, not in the path",
        {"facecolor": "none", "edgecolor": SOFT, "hatch": "////"},
    ),
    "unused": ("unused", {"facecolor": "none", "edgecolor": SOFT, "linewidth": 0.6}),
}
"""How a module is drawn, and what that means: told apart by fill and hatch, not by colour."""


@contextmanager
def style() -> Iterator[None]:
    """Draw in the report's style, whatever the user's own settings of matplotlib are."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        yield


def svg(figure: Figure, name: str) -> str:
    """A figure as an ``<svg>`` element; ``name`` keeps its ids apart from other figures'."""
    file = io.StringIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(\bid="|xlink:href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r'(<svg [^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg [^>]*?) height="[^"]*"', r"\1", text, count=1)
    for colour, variable in VARIABLES.items():
        text = text.replace(f": {colour}", f": {variable}")
    return text


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure for use outside the report."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=160, facecolor="white", metadata={"Software": None})


# Learning curves --------------------------------------------------------------------------


def learning_curves(data: ReportData, stages: Sequence[int], legend: bool) -> Figure:
    """Fitness against evaluations, one panel a stage: seeds thin, their mean thick."""
    figure, panels = _panels(len(stages), legend)
    for axes, stage in zip(panels, stages, strict=True):
        for k, arm in enumerate(data.arms):
            _draw_curve(axes, data.curve(arm, stage), k)
        about = data.stages[stage]
        if about["threshold"] is not None:
            axes.axhline(about["threshold"], color=INK, linewidth=0.8, linestyle=(0, (2, 2)))
            axes.annotate(
                "threshold",
                (1, about["threshold"]),
                xycoords=("axes fraction", "data"),
                ha="right",
                va="bottom",
                fontsize=8,
            )
        axes.set_title(_title(about["stage"], about["name"]))
        axes.set_xlabel("evaluations")
        axes.set_ylabel(f"{about['fitness_name']}, smoothed")
        axes.grid(axis="y", linewidth=0.7)
    if legend:
        handles = [_line(k, label=arm) for k, arm in enumerate(data.arms)]
        figure.legend(handles=handles, loc="outside upper left", ncols=len(handles))
    return figure


def _draw_curve(axes: Axes, curve: Curve, k: int) -> None:
    style = {"color": _of(ARM_COLOURS, k), "linestyle": _of(ARM_LINES, k)}
    if len(curve.seeds) > 1:
        for values in curve.seeds.values():
            axes.plot(*_thinned(values), color=style["color"], linewidth=0.6, alpha=0.4)
    if curve.mean:
        axes.plot(*_thinned(curve.mean), **style, linewidth=2)


def _thinned(values: Sequence[float | None]) -> tuple[list[int], list[float]]:
    """At most ``POINTS`` points of a curve, with evaluations counted from 1."""
    step = max(1, math.ceil(len(values) / POINTS))
    kept = sorted({*range(0, len(values), step), len(values) - 1}) if values else []
    return [i + 1 for i in kept], [math.nan if (v := values[i]) is None else v for i in kept]


def _line(k: int, label: str) -> Line2D:
    style: dict[str, Any] = {"color": _of(ARM_COLOURS, k), "linestyle": _of(ARM_LINES, k)}
    return Line2D([], [], linewidth=2, label=_short(label), **style)


# Scores -----------------------------------------------------------------------------------


def scores(data: ReportData, stages: Sequence[int]) -> Figure:
    """Each arm's held-out score right after each stage: seeds small, the mean with its interval."""
    figure, panels = _panels(len(stages), legend=False)
    for axes, stage in zip(panels, stages, strict=True):
        about = data.stages[stage]
        percent = "accuracy" in about["score"]
        for k, arm in enumerate(data.arms):
            result = data.summary["arms"][arm]["stages"][stage]["scores"].get(about["score"])
            if result is not None and result["mean"] is not None:
                _draw_score(axes, result, k, 100 if percent else 1)
        axes.set_xlim(-0.6, len(data.arms) - 0.4)
        axes.set_xticks(range(len(data.arms)), [_short(arm, 14) for arm in data.arms])
        axes.tick_params(axis="x", length=0)
        if len(data.arms) > 4:
            axes.tick_params(axis="x", labelrotation=30)
        axes.set_title(_title(about["stage"], about["name"]))
        axes.set_ylabel(about["score"].replace("_", " ") + (", %" if percent else ""))
        axes.grid(axis="y", linewidth=0.7)
        axes.margins(y=0.15)
    return figure


def _draw_score(axes: Axes, result: dict[str, Any], k: int, unit: float) -> None:
    colour = _of(ARM_COLOURS, k)
    values = [unit * v for v in result["seeds"].values() if v is not None]
    if len(values) > 1:
        spread = [k - 0.22 + 0.06 * (i % 3 - 1) for i in range(len(values))]
        axes.plot(spread, values, ".", color=colour, alpha=0.55, markersize=5)
    mean = unit * result["mean"]
    if result["interval"] is not None:
        low, high = (unit * end for end in result["interval"])
        reach = [[mean - low], [high - mean]]
        axes.errorbar([k], [mean], yerr=reach, color=colour, capsize=5, linewidth=1.8)
    axes.plot([k], [mean], _of(ARM_MARKERS, k), color=colour, markersize=8)
    axes.annotate(f"{mean:.3g}", (k, mean), (9, 0), textcoords="offset points", va="center")


# Paths and modules ------------------------------------------------------------------------


def path(view: PathView, legend: bool) -> Figure:
    """A stage's best path over the pool: layers top to bottom, sums between them."""
    widest, layers = max(view.counts), len(view.counts)
    pitch = max(1.0, 12 / widest)
    gap = 0.115 * widest * pitch + 1.1
    height = 1.15 + (layers - 1) * 0.86 + (0.85 if legend else 0)
    figure = Figure(figsize=(5, height + 0.85), layout="constrained")
    axes = figure.add_subplot()
    axes.set_axis_off()
    middle = pitch * (widest - 1) / 2
    ends = [gap * 0.62, *(-gap * (i + 0.5) for i in range(layers - 1)), -gap * (layers - 1 + 0.62)]
    for layer, (modules, count) in enumerate(zip(view.path, view.counts, strict=True)):
        y, shift = -gap * layer, pitch * (widest - count) / 2
        for module in modules:
            x = shift + pitch * module
            axes.plot([middle, x], [ends[layer], y + 0.42], color=PATH, linewidth=0.9, alpha=0.75)
            axes.plot(
                [x, middle], [y - 0.42, ends[layer + 1]], color=PATH, linewidth=0.9, alpha=0.75
            )
        for module in range(count):
            _draw_module(axes, shift + pitch * module, y, view.role(layer, module))
            if module in view.path[layer]:
                axes.annotate(
                    str(module),
                    (shift + pitch * module, y - 0.42),
                    (0, -2),
                    textcoords="offset points",
                    ha="left",
                    va="top",
                    fontsize=7,
                    color=SOFT,
                )
        axes.text(-0.9, y, f"layer {layer + 1}", ha="right", va="center", fontsize=8.5)
    labels = ["input", *["+"] * (layers - 1), "readout"]
    for label, y in zip(labels, ends, strict=True):
        _draw_end(axes, middle, y, label)
    axes.set_title(f"{_title(view.stage, view.name)}: {_short(view.arm)}, seed {view.seed}")
    axes.set_xlim(-0.9 - 0.13 * widest * pitch, pitch * (widest - 1) + 0.7)
    axes.set_ylim(ends[-1] - 0.5, ends[0] + 0.5)
    if legend:
        figure.legend(handles=role_handles(view), loc="outside lower left", fontsize=8.5)
    return figure


def role_handles(view: PathView) -> list[Patch]:
    """A sample of every way that a module is drawn."""
    labels = {role: text for role, (text, _) in ROLES.items()}
    if not view.freezes:
        labels["new"] = "in the path"
    return [Patch(label=labels[role], **look) for role, (_, look) in ROLES.items()]


def roles_key(view: PathView) -> Figure:
    """The legend of the paths' drawings alone."""
    figure = Figure(figsize=(5.4, 0.95))
    figure.legend(handles=role_handles(view), loc="center left", fontsize=9.5)
    return figure


def _draw_module(axes: Axes, x: float, y: float, role: str) -> None:
    look = {"linewidth": 1.0, **ROLES[role][1], "zorder": 3}
    axes.add_patch(Rectangle((x - 0.36, y - 0.42), 0.72, 0.84, **look))


def _draw_end(axes: Axes, x: float, y: float, label: str) -> None:
    shape = "circle,pad=0.25" if label == "+" else "round,pad=0.3"
    axes.text(
        x,
        y,
        label,
        ha="center",
        va="center",
        fontsize=8.5,
        zorder=4,
        bbox={"boxstyle": shape, "facecolor": GRID, "edgecolor": SOFT, "linewidth": 0.7},
    )


def usage(view: Usage) -> Figure:
    """How often each module was in an evaluated path: a bar a module, a row a layer."""
    layers = len(view.shares)
    figure = Figure(figsize=(5.4, 0.6 + 0.5 * layers), layout="constrained")
    axes = figure.add_subplot()
    for layer, shares in enumerate(view.shares):
        axes.bar(range(len(shares)), [0.82 * s for s in shares], 0.72, -layer, color=PATH)
        axes.axhline(-layer, color=SOFT, linewidth=0.6)
    axes.set_ylim(-layers + 0.95, 1)
    axes.set_yticks([0.41 - layer for layer in range(layers)])
    axes.set_yticklabels([f"layer {layer + 1}" for layer in range(layers)])
    axes.tick_params(length=0)
    axes.set_title(_title(view.stage, view.name))
    axes.set_xlabel("module")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure


def _panels(n: int, legend: bool) -> tuple[Figure, list[Axes]]:
    """Panels side by side, three in a row at the most."""
    columns = max(1, min(n, 3))
    rows = max(1, math.ceil(n / columns))
    size = (5.0 * columns, 3.2 * rows + (0.35 if legend else 0))
    figure = Figure(figsize=size, layout="constrained")
    return figure, [figure.add_subplot(rows, columns, i + 1) for i in range(n)]


def _title(stage: int, name: str) -> str:
    """Two stages may have one name, so each has its number."""
    return _short(f"{stage + 1}. {name}")


def _of(choices: Sequence[Any], k: int) -> Any:
    return choices[k % len(choices)]


def _short(name: str, most: int = 40) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
