"""The page's scripts and styles: small files of our own, put together, and plotly's."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

STYLES = ("page.css", "figures.css", "player.css")
SCRIPTS = {
    "report": (
        "dom.js",
        "theme.js",
        "grid.js",
        "plot.js",
        "charts.js",
        "scores.js",
        "legend.js",
        "genealogy.js",
        "architecture.js",
        "usage.js",
        "replay.js",
        "population.js",
        "player.js",
        "report.js",
    ),
    "compare": (
        "dom.js",
        "theme.js",
        "plot.js",
        "charts.js",
        "scores.js",
        "legend.js",
        "forest.js",
        "compare.js",
    ),
    "plain": ("theme.js", "plain.js"),
    "live": ("live.js",),
}
"""The files of each script, in the order in which one uses another."""


@cache
def script(name: str) -> str:
    """A script as one text, which leaves no names behind."""
    texts = (_read(file) for file in SCRIPTS[name])
    return '(() => {\n"use strict";\n' + "\n".join(texts) + "})();\n"


@cache
def style() -> str:
    """The page's style sheet."""
    return "\n".join(_read(file) for file in STYLES)


@cache
def plotly() -> str:
    """Plotly's own script."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs()).replace("\r\n", "\n")


def integrity(text: str) -> str:
    """What a Content-Security-Policy calls a script that it lets run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _read(file: str) -> str:
    return files("pathnet_evo.report.page").joinpath("static", file).read_text(encoding="utf-8")
