"""Paths over the pool: the best one, the whole population, and how often modules are used."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from pathnet_evo.core.genotype import Path as ModulePath
from pathnet_evo.core.genotype import distinct
from pathnet_evo.report.data import StageView, Usage
from pathnet_evo.report.data.history import History
from pathnet_evo.report.figures.style import COLUMN, GRID, INK, PATH, SOFT, panel, short, title

ROLES: dict[str, tuple[str, dict[str, Any]]] = {
    "new": ("in the path, new", {"facecolor": PATH, "edgecolor": PATH}),
    "reused": (
        "in the path, reused",
        {"facecolor": "white", "edgecolor": PATH, "hatch": "xxxxxx", "linewidth": 1.2},
    ),
    "frozen": ("frozen earlier", {"facecolor": "white", "edgecolor": SOFT, "hatch": "//////"}),
    "unused": ("not in the path", {"facecolor": "white", "edgecolor": SOFT, "linewidth": 0.4}),
}
"""How a module is drawn, and what that means: told apart by fill and hatch, not by colour."""


def architecture(view: StageView) -> Figure:
    """Inputs, layers of modules, sums, readout, and a stage's best path (the paper's figure 2)."""
    figure, axes = _pool(view)
    middle, ends = _ends(view.counts)
    for layer, modules in enumerate(view.path):
        for module in modules:
            x, y = _place(view.counts, layer, module)
            for end in ends[layer : layer + 2]:
                axes.plot([end, x], [middle, y], color=PATH, linewidth=0.8, alpha=0.8, zorder=1)
    for layer, count in enumerate(view.counts):
        for module in range(count):
            x, y = _place(view.counts, layer, module)
            _module(axes, x, y, _pitch(view.counts), ROLES[view.role(layer, module)][1])
    for x in ends[1:-1]:
        size = 0.5 * _pitch(view.counts)
        axes.add_patch(Circle((x, middle), size, facecolor=GRID, edgecolor=SOFT, linewidth=0.6))
        axes.text(x, middle, "+", ha="center", va="center", fontsize=7)
    handles = [Patch(label=text, **look) for text, look in ROLES.values()]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def population(view: StageView) -> Figure:
    """The population's paths early, halfway and at the end of a stage (the paper's figure 3)."""
    history = view.history
    last = history.told[-1].generation
    moments = sorted({-1, last // 4, last})
    figure = Figure(figsize=(COLUMN * 2, 2.4), layout="constrained")
    for i, (moment, slots) in enumerate(zip(moments, _populations(history, moments), strict=True)):
        axes = figure.add_subplot(1, len(moments), i + 1)
        _draw_population(axes, view, [distinct(rows) for rows in slots])
        axes.set_title("before the first" if moment < 0 else f"generation {moment + 1}")
    figure.suptitle(
        f"{title(view.stage, view.name)}: {short(view.arm)}, seed {view.seed}", x=0.02, ha="left"
    )
    return figure


def usage(view: Usage) -> Figure:
    """How often each module was in an evaluated path: a bar a module, a row a layer."""
    layers = len(view.shares)
    figure, axes = panel(0.6 + 0.36 * layers)
    for layer, shares in enumerate(view.shares):
        axes.bar(range(len(shares)), [0.82 * s for s in shares], 0.72, -layer, color=PATH)
        axes.axhline(-layer, color=SOFT, linewidth=0.5)
    axes.set_ylim(-layers + 0.95, 1)
    axes.set_yticks([0.41 - layer for layer in range(layers)])
    axes.set_yticklabels([f"layer {layer + 1}" for layer in range(layers)])
    axes.tick_params(length=0)
    axes.set_title(f"{title(view.stage, view.name)}: {short(view.arm)}")
    axes.set_xlabel("module")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure


def _draw_population(axes: Axes, view: StageView, paths: Sequence[ModulePath]) -> None:
    pairs = Counter(
        (layer, a, b)
        for path in paths
        for layer in range(len(path) - 1)
        for a in path[layer]
        for b in path[layer + 1]
    )
    for (layer, a, b), n in pairs.items():
        (x0, y0), (x1, y1) = _place(view.counts, layer, a), _place(view.counts, layer + 1, b)
        share = n / len(paths)
        axes.plot(
            [x0, x1], [y0, y1], color=PATH, alpha=0.08 + 0.6 * share, linewidth=0.3 + 2 * share
        )
    used = Counter((i, m) for path in paths for i, layer in enumerate(path) for m in layer)
    for layer, count in enumerate(view.counts):
        for module in range(count):
            x, y = _place(view.counts, layer, module)
            frozen = module in view.history.frozen[layer]
            share = used[layer, module] / len(paths)
            look = {"facecolor": (*_rgb(share),), "edgecolor": INK if frozen else SOFT}
            more = {"hatch": "//////", "linewidth": 1.2} if frozen else {"linewidth": 0.4}
            _module(axes, x, y, _pitch(view.counts), {**look, **more})
    axes.set_axis_off()
    axes.set_aspect("equal")
    axes.autoscale_view()
    axes.invert_yaxis()


def _populations(history: History, moments: Sequence[int]) -> list[list[list[list[int]]]]:
    """The population after each of some generations, ascending; -1 is before the first."""
    slots = [[list(row) for row in rows] for rows in history.initial]
    kept = []
    waiting = list(moments)
    for number, told in enumerate(history.told):
        while waiting and told.generation > waiting[0]:
            kept.append([[list(row) for row in rows] for rows in slots])
            waiting.pop(0)
        if told.parent is None:
            slots[told.slot] = json.loads(told.genotype)
        for replaced in history.replaced.get(number, []):
            if replaced.winner is not None:
                copy = [list(row) for row in slots[replaced.winner]]
                for layer, gene, _, after in replaced.changes:
                    copy[layer][gene] = after
                slots[replaced.loser] = copy
    return kept + [slots] * len(waiting)


def _pool(view: StageView) -> tuple[Figure, Axes]:
    figure, axes = panel(2.7)
    axes.set_axis_off()
    axes.set_aspect("equal")
    middle, ends = _ends(view.counts)
    for x, name in ((ends[0], "input"), (ends[-1], "readout")):
        axes.text(
            x,
            middle,
            name,
            rotation=90,
            ha="center",
            va="center",
            fontsize=7,
            color=SOFT,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
        )
    for layer in range(len(view.counts)):
        x, _ = _place(view.counts, layer, 0)
        axes.text(x, -1.1, f"layer {layer + 1}", ha="center", fontsize=6.5, color=SOFT)
    axes.set_title(
        f"{title(view.stage, view.name)}: {short(view.arm, 20)}, seed {view.seed}", pad=14
    )
    axes.invert_yaxis()
    return figure, axes


def _pitch(counts: Sequence[int]) -> float:
    return max(1.0, max(counts) / 12)


def _place(counts: Sequence[int], layer: int, module: int) -> tuple[float, float]:
    """Where a module stands; a column of modules is as high as the largest layer."""
    step = max(counts) * 1.25 / len(counts)
    return step * (layer + 0.5), module + (max(counts) - counts[layer]) / 2


def _ends(counts: Sequence[int]) -> tuple[float, list[float]]:
    """The height of inputs, sums and readout, and how far to the right each of them is."""
    step = max(counts) * 1.25 / len(counts)
    return (max(counts) - 1) / 2, [step * layer for layer in range(len(counts) + 1)]


def _module(axes: Axes, x: float, y: float, pitch: float, look: dict[str, Any]) -> None:
    box = {"linewidth": 0.7, **look, "zorder": 3}
    axes.add_patch(Rectangle((x - 0.38 * pitch, y - 0.38), 0.76 * pitch, 0.76, **box))


def _rgb(share: float) -> tuple[float, float, float]:
    """From white to the path's colour."""
    return (
        1 - share * (1 - 0x0B / 255),
        1 - share * (1 - 0x66 / 255),
        1 - share * (1 - 0xA8 / 255),
    )
