"""The report itself: one HTML file that needs nothing else, and its figures beside it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pathnet_evo.report import figures, words
from pathnet_evo.report.data import ReportData, read_report_data


def write_report(folder: Path) -> Path:
    """Write ``report.html`` and ``figures/`` from a run's lineage, finished or not.

    Args:
        folder: the run's folder.

    Returns:
        The path of the page.

    Raises:
        RunError: no such run.
        ConfigError: ``run.toml`` is damaged.
        LineageError: ``lineage.sqlite`` is damaged.
    """
    folder = Path(folder)
    data = read_report_data(folder)
    with figures.style():
        _save_figures(data)
        text = render(data)
    page = folder / "report.html"
    temporary = folder / f".report.tmp-{os.getpid()}"
    temporary.write_text(text, encoding="utf-8", errors="replace")
    os.replace(temporary, page)
    return page


def render(data: ReportData) -> str:
    """The page as text; every name from outside is escaped."""
    environment = Environment(
        loader=PackageLoader("pathnet_evo.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": words.shown,
        "interval": words.shown_interval,
        "times": words.times,
        "pair": words.censored_times,
    }
    return environment.get_template("report.html").render(
        data=data,
        summary=data.summary,
        title=data.folder.resolve().name,
        sentences=words.sentences(data.summary, data.shown),
        command=_command(data.summary["about"]),
        markers=[_marker(k) for k in range(len(data.arms))],
        colours=len(figures.ARM_COLOURS),
        fronts=list(_fronts(data)),
        **_drawings(data),
    )


def _drawings(data: ReportData) -> dict[str, Any]:
    """Every figure as SVG, one a stage, so that they stack on a narrow screen."""
    key = figures.roles_key(data.paths[0]) if data.paths else None
    return {
        "curves": {
            i: _svg(figures.learning_curves(data, [i], legend=False), f"curve-{i}")
            for i in _begun(data)
        },
        "scores": {i: _svg(figures.scores(data, [i]), f"score-{i}") for i in _scored(data)},
        "paths": {
            v.stage: _svg(figures.path(v, legend=False), f"path-{v.stage}") for v in data.paths
        },
        "usage": {u.stage: _svg(figures.usage(u), f"usage-{u.stage}") for u in data.usage},
        "path_key": _svg(key, "key") if key else None,
    }


def _svg(figure: Any, name: str) -> Markup:
    """A figure's own markup: matplotlib escaped the names in it."""
    return Markup(figures.svg(figure, name))  # noqa: S704


def _marker(k: int) -> Markup:
    """A line sample for the legend, as the curves are drawn."""
    dash = ["", "7 4", "7 3 2 3", "2 3", "7 2 2 2 2 2", "2 6"][k % 6]
    style = (
        f"stroke:var(--arm-{k % len(figures.ARM_COLOURS)});stroke-width:3;stroke-dasharray:{dash}"
    )
    return Markup(  # noqa: S704 - made of numbers alone
        '<svg class="sample" viewBox="0 0 36 8" aria-hidden="true">'
        f'<line x1="0" y1="4" x2="36" y2="4" style="{style}"/></svg>'
    )


def _save_figures(data: ReportData) -> None:
    folder = data.folder / "figures"
    if begun := _begun(data):
        figure = figures.learning_curves(data, begun, legend=True)
        figures.save_png(figure, folder / "learning-curves.png")
    if scored := _scored(data):
        figures.save_png(figures.scores(data, scored), folder / "scores.png")
    for view in data.paths:
        figures.save_png(figures.path(view, legend=True), folder / f"paths-{view.stage}.png")


def _begun(data: ReportData) -> list[int]:
    """Stages with an evaluation."""
    return [
        i
        for i in range(len(data.stages))
        if any(i in t.stages and t.stages[i].fitnesses for t in data.trials)
    ]


def _scored(data: ReportData) -> list[int]:
    """Stages with a held-out score."""
    return [stage["stage"] for stage in data.stages if stage["score"] is not None]


def _fronts(data: ReportData) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Arm, stage and front, of the first seed that has one."""
    for arm, result in data.summary["arms"].items():
        for stage, found in zip(data.stages, result["stages"], strict=True):
            for front in [*found["fronts"].values()][:1]:
                yield arm, stage, front


def _command(about: dict[str, Any]) -> str:
    command = about.get("command")
    if isinstance(command, list):
        return shlex.join(map(str, command))
    return str(command) if command else "pathnet-evo run run.toml"
