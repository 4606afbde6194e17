"""How figures look: sizes, colours, lines, and names that stand whole in them."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pathnet_evo.values.stage_numbers import stage_title

COLUMN = 3.4
"""Width of a column, in inches."""
LEGEND = 22
"""Characters of a legend's line."""
LINE = 0.14
"""Height of a legend's line, in inches."""
TITLE = 46
"""Characters of a title that a column has room for."""

LARGEST = 1e150
"""The largest number that is drawn: axes compute with squares."""

INK, SOFT, GRID, PATH = "#1b2530", "#566473", "#d8dfe6", "#0b66a8"
ARM_COLOURS = (
    "#0b66a8", "#c2480a", "#0a7d5a", "#a3418a", "#6b5800",
    "#6d52d6", "#5e1224", "#5f9a12", "#7c8794", "#20306e",
)  # fmt: skip
ARM_LINES = ("-", "--", "-.", ":", (0, (6, 2)))
ARM_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "p", "<")
"""Ten arms differ in colour and marker, as on the page; further ones in their line."""

STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 7.5,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.titlecolor": INK,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.use_mathtext": False,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "grid.color": GRID,
    "grid.linewidth": 0.5,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "pathnet-evo",
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the report's style, whatever the user's own settings of matplotlib are."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        yield


def panel(height: float, names: Sequence[str] = ()) -> tuple[Figure, Axes]:
    """One panel as wide as a column.

    Args:
        height: of the panel without a legend, in inches.
        names: what the legend below it will name (``legend``).
    """
    lines = [wrapped(name, LEGEND).count("\n") + 1 for name in names]
    half = -(-len(lines) // 2)
    room = LINE * max(sum(lines[:half]), sum(lines[half:]))
    figure = Figure(figsize=(COLUMN, height + room), layout="constrained")
    return figure, figure.add_subplot()


def legend(figure: Figure, **options: Any) -> None:
    """A legend below the panel, in two columns."""
    figure.legend(loc="outside lower center", ncols=2, handlelength=2.6, **options)


def colour_of(arm: int) -> str:
    """An arm's colour; they repeat after ten arms."""
    return ARM_COLOURS[arm % len(ARM_COLOURS)]


def marker_of(arm: int) -> str:
    """An arm's marker; they repeat after ten arms."""
    return ARM_MARKERS[arm % len(ARM_MARKERS)]


def line_of(arm: int) -> Any:
    """An arm's line; arms of one colour differ in it."""
    return ARM_LINES[(arm + arm // len(ARM_COLOURS)) % len(ARM_LINES)]


def drawable(value: float | None) -> float:
    """A number as axes can have it; NaN, of which nothing is drawn, for any other."""
    return value if value is not None and abs(value) <= LARGEST else math.nan


def wrapped(name: str, most: int) -> str:
    """A name on lines of a few characters each, none of them left out."""
    lines = [""]
    for word in re.split(r"(?<=[\s/_-])", name):
        for piece in [word[i : i + most] for i in range(0, len(word), most)]:
            if lines[-1] and len((lines[-1] + piece).rstrip()) > most:
                lines.append("")
            lines[-1] += piece
    return "\n".join(line.strip() for line in lines)


def title(stage: int, name: str, *, arm: str = "", seed: int | None = None) -> str:
    """A figure's title: the stage with its number, and whose picture it is."""
    whose = "" if not arm else f": {arm}" if seed is None else f": {arm}, seed {seed}"
    return wrapped(stage_title(stage, name) + whose, TITLE)
