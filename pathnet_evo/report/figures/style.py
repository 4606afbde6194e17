"""How figures look: sizes, colours, lines, and names short enough to stand in them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLUMN = 3.4
"""Width of a column, in inches."""

LARGEST = 1e150
"""The largest number that is drawn: axes compute with squares."""

INK, SOFT, GRID, PATH = "#1b2530", "#566473", "#d8dfe6", "#0b66a8"
ARM_COLOURS = ("#0b66a8", "#c2480a", "#0a7d5a", "#a3418a", "#836800", "#3d6f80")
ARM_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
ARM_MARKERS = ("o", "s", "^", "D", "v", "P")

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


def panel(height: float) -> tuple[Figure, Axes]:
    """One panel as wide as a column; ``height`` in inches."""
    figure = Figure(figsize=(COLUMN, height), layout="constrained")
    return figure, figure.add_subplot()


def of(choices: Sequence[Any], k: int) -> Any:
    """What an arm has of colours, lines or markers; they repeat."""
    return choices[k % len(choices)]


def drawable(value: float | None) -> float:
    """A number as axes can have it; NaN, of which nothing is drawn, for any other."""
    return value if value is not None and abs(value) <= LARGEST else math.nan


def short(name: str, most: int = 40) -> str:
    """A name cut to a length that fits."""
    return name if len(name) <= most else name[: most - 1] + "…"


def title(stage: int, name: str) -> str:
    """A stage's name with its number: two stages may have one name."""
    return short(f"{stage}. {name}")
