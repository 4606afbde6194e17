"""Every figure of a run into files of its own."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path as FilePath

from matplotlib.figure import Figure

from pathnet_evo.core.genotype import Path
from pathnet_evo.report.data import ReportData, read_report_data
from pathnet_evo.report.data.transfer import transfer_matrix
from pathnet_evo.report.figures import evolution, learning, paths
from pathnet_evo.report.figures.heatmap import matrix
from pathnet_evo.report.figures.style import style
from pathnet_evo.store.places import check_own
from pathnet_evo.store.reading import intact
from pathnet_evo.system.replacing import replace
from pathnet_evo.values.stage_numbers import stage_number


def save(folder: FilePath, formats: Sequence[str]) -> list[FilePath]:
    """The files, written; see ``save_figures``."""
    check_own(folder)
    data = read_report_data(folder)
    target = folder / "figures"
    target.mkdir(exist_ok=True)
    written = []
    with style(), intact(folder / "lineage.sqlite"):
        for name, figure in _figures(data):
            for ending in formats:
                path = target / f"{name}.{ending}"
                undated = {"Date": None} if ending == "svg" else {"CreationDate": None}
                metadata = {"Software": None} if ending == "png" else undated
                drawn = io.BytesIO()
                figure.savefig(drawn, format=ending, dpi=300, facecolor="white", metadata=metadata)
                replace(path, drawn.getvalue())
                written.append(path)
    return written


def _figures(data: ReportData) -> Iterator[tuple[str, Figure]]:
    for i in range(len(data.stages)):
        if any(view.stage == i and view.history.told for view in data.views):
            yield f"learning-curve-{stage_number(i)}", learning.learning_curve(data, i)
        if data.stages[i]["score"] is not None:
            yield f"scores-{stage_number(i)}", learning.scores(data, i)
        if (figure := evolution.reuse(data, i)) is not None:
            yield f"reuse-{stage_number(i)}", figure
    for view in data.paths:
        number = stage_number(view.stage)
        yield f"path-{number}", paths.architecture(view)
        if view.history.told:
            yield f"population-{number}", paths.population(view)
        name = data.stages[view.stage]["fitness_name"] or "fitness"
        yield f"ancestry-{number}", evolution.ancestry(view, name)
    for use in data.usage:
        if use.arm == data.shown:
            yield f"usage-{stage_number(use.stage)}", paths.usage(use, _frozen(data, use.stage))
    if (found := transfer_matrix(data)) is not None:
        ratios = [[None if c is None else c["mean"] for c in row] for row in found.cells]
        if any(any(row) for row in ratios):
            title = f"Speed-up of {data.shown}"
            yield "transfer", matrix(found.rows, found.columns, ratios, title=title)


def _frozen(data: ReportData, stage: int) -> Path:
    """The modules that were frozen before a stage, in the trial whose paths are drawn."""
    return next((view.history.frozen for view in data.paths if view.stage == stage), ())
