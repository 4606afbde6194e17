"""Paths over the pool: the best one, the whole population, and how often modules are used."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Patch, Rectangle
from matplotlib.patheffects import Normal, Stroke

from pathnet_evo.core.genotype import Path as ModulePath
from pathnet_evo.core.genotype import distinct
from pathnet_evo.report.data import StageView, Usage
from pathnet_evo.report.data.history import History
from pathnet_evo.report.figures.style import COLUMN, GRID, INK, PATH, SOFT, panel, title

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
FROZEN: dict[str, Any] = {"edgecolor": INK, "hatch": "//////", "linewidth": 1.2}
"""How a frozen module is drawn, as on the page."""
EARLIER: dict[str, Any] = {"color": INK, "linewidth": 0.8, "linestyle": (0, (1, 2))}
"""How the paths are drawn that earlier stages froze, as on the page."""
HATCHED: dict[str, Any] = {**FROZEN, "facecolor": "white", "linewidth": 0.6}
"""How the bar of a frozen module is drawn."""
FULL = 0.74
"""Height of a bar of 100 %, as a share of its row."""
MOST_NUMBERED = 24
"""Modules of a layer that have room for their numbers."""


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
            role = view.role(layer, module)
            _module(axes, x, y, _pitch(view.counts), ROLES[role][1])
            _number(axes, x, y, view.counts, module, "white" if role == "new" else INK)
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
    figure = Figure(figsize=(COLUMN * 2, 2.9), layout="constrained")
    for i, (moment, slots) in enumerate(zip(moments, _populations(history, moments), strict=True)):
        axes = figure.add_subplot(1, len(moments), i + 1)
        _draw_population(axes, view, [distinct(rows) for rows in slots])
        axes.set_title("before the first" if moment < 0 else f"generation {moment + 1}", pad=12)
    name = title(view.stage, view.name, arm=view.arm, seed=view.seed)
    figure.suptitle(name, x=0.02, ha="left")
    figure.legend(handles=_scale(len(history.initial), view), loc="outside lower center", ncols=6)
    return figure


def _scale(paths: int, view: StageView) -> list[Artist]:
    """What thickness, fill and hatch mean: shares of the population, and what is frozen."""
    found: list[Artist] = []
    for share in sorted({1 / paths, 0.5, 1.0}):
        n = round(share * paths)
        found.append(Line2D([], [], color=PATH, label=f"{n} of {paths} paths", **_edge(share)))
    found.append(Patch(label="in all paths", facecolor=_rgb(1), edgecolor=SOFT, linewidth=0.4))
    if any(view.history.frozen):
        found.append(Patch(label="frozen", facecolor="white", **FROZEN))
    if view.earlier:
        found.append(Line2D([], [], label="frozen path", **EARLIER))
    return found


def _edge(share: float) -> dict[str, Any]:
    """How a pair of modules is joined that a share of the paths has."""
    return {"alpha": 0.08 + 0.6 * share, "linewidth": 0.3 + 2 * share}


def usage(view: Usage, frozen: ModulePath) -> Figure:
    """How often each module was in an evaluated path: a bar a module, a row a layer.

    Args:
        view: the shares.
        frozen: the modules of each layer that earlier stages froze, hatched.
    """
    layers = len(view.shares)
    figure, axes = panel(0.8 + 0.42 * layers)
    for layer, shares in enumerate(view.shares):
        tall = [FULL * share for share in shares]
        bars = axes.bar(range(len(shares)), tall, 0.72, -layer, color=PATH, edgecolor=PATH)
        for module in frozen[layer] if layer < len(frozen) else ():
            if module < len(shares):
                bars[module].set(**HATCHED)
        axes.axhline(-layer, color=SOFT, linewidth=0.5)
        axes.axhline(FULL - layer, color=GRID, linewidth=0.5, zorder=0)
        end: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "va": "center"}
        axes.annotate("100 %", (1, FULL - layer), fontsize=5.5, color=SOFT, **end)
    axes.set_ylim(-layers + 0.95, 1)
    axes.set_yticks([FULL / 2 - layer for layer in range(layers)])
    axes.set_yticklabels([f"layer {layer + 1}" for layer in range(layers)])
    axes.tick_params(length=0)
    axes.set_title(title(view.stage, view.name, arm=view.arm))
    axes.set_xlabel("module")
    most = max(map(len, view.shares))
    axes.set_xticks(range(0, most, 1 if most <= 20 else 5))
    for spine in axes.spines.values():
        spine.set_visible(False)
    if any(frozen):
        handles = [Patch(label="frozen earlier, first seed", **HATCHED)]
        figure.legend(handles=handles, loc="outside lower center")
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
        axes.plot([x0, x1], [y0, y1], color=PATH, **_edge(n / len(paths)))
    for path in view.earlier:
        _draw_earlier(axes, view.counts, path)
    used = Counter((i, m) for path in paths for i, layer in enumerate(path) for m in layer)
    for layer, count in enumerate(view.counts):
        for module in range(count):
            x, y = _place(view.counts, layer, module)
            frozen = module in view.history.frozen[layer]
            share = used[layer, module] / len(paths)
            look = FROZEN if frozen else {"edgecolor": SOFT, "linewidth": 0.4}
            _module(axes, x, y, _pitch(view.counts), {"facecolor": _rgb(share), **look})
            beside = x - 0.5 * _pitch(view.counts)
            _number(axes, beside, y, view.counts, module, SOFT, ha="right", size=4.5)
    _name_layers(axes, view.counts)
    axes.set_axis_off()
    axes.set_aspect("equal")
    axes.autoscale_view()
    axes.invert_yaxis()


def _draw_earlier(axes: Axes, counts: Sequence[int], path: ModulePath) -> None:
    """A frozen path, dotted as on the page."""
    for layer in range(len(path) - 1):
        for a in path[layer]:
            for b in path[layer + 1]:
                x, y = zip(_place(counts, layer, a), _place(counts, layer + 1, b), strict=True)
                axes.plot(x, y, zorder=2, **EARLIER)


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
                copy = [list(row) for row in replaced.origin or slots[replaced.winner]]
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
    _name_layers(axes, view.counts)
    axes.set_title(title(view.stage, view.name, arm=view.arm, seed=view.seed), pad=14)
    axes.invert_yaxis()
    return figure, axes


def _name_layers(axes: Axes, counts: Sequence[int]) -> None:
    for layer in range(len(counts)):
        x, _ = _place(counts, layer, 0)
        above: dict[str, Any] = {"xytext": (0, 3), "textcoords": "offset points", "ha": "center"}
        axes.annotate(f"layer {layer + 1}", (x, -0.5), fontsize=6.5, color=SOFT, **above)


def _number(
    axes: Axes,
    x: float,
    y: float,
    counts: Sequence[int],
    module: int,
    colour: str,
    ha: str = "center",
    size: float = 5.5,
) -> None:
    """A module's number, where there is room for it."""
    if max(counts) > MOST_NUMBERED:
        return
    halo = [] if colour == "white" else [Stroke(linewidth=1.4, foreground="white"), Normal()]
    axes.text(
        x, y, str(module), ha=ha, va="center_baseline", fontsize=size, color=colour, zorder=5,
        path_effects=halo,
    )  # fmt: skip


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
