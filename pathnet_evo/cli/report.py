"""``pathnet-evo report``: rebuild a run's summary and report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from pathnet_evo.cli.terminal import say

if TYPE_CHECKING:
    from pathnet_evo.store.lock import Holder

    Contents: TypeAlias = Callable[[Path, Holder | None], dict[str, str]]

FORMATS = ("png", "pdf", "svg")


def report(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder of a run, a matrix or a sweep.")
    ],
    figures: Annotated[
        str | None,
        typer.Option(
            metavar="FORMATS", help="Also write each figure to a file: png, pdf, svg, or several."
        ),
    ] = None,
) -> None:
    """Rebuild a run's summary.json and report.html from its lineage, finished or not.

    Of a matrix or a sweep, its pages are rebuilt. If the run is ending, this waits for its end.
    """
    from pathnet_evo.analysis import matrix, sweep
    from pathnet_evo.errors import UserError
    from pathnet_evo.report.write import PAGE
    from pathnet_evo.store.places import check_own

    if (run / matrix.FILE).is_file():
        _rebuild(run, _matrix)
        for name in (matrix.RESULTS, matrix.PAGE):
            say(run / name)
        return
    if (run / sweep.FILE).is_file():
        _rebuild(run, _sweep)
        for name in (sweep.RESULTS, sweep.TABLE, sweep.PAGE):
            say(run / name)
        return
    if not (run / "lineage.sqlite").is_file():
        raise UserError(f"{run}: not a run's folder (it has no lineage.sqlite)")
    formats = _formats(figures)
    check_own(run)
    _rebuild(run, _run)
    say(run / PAGE)
    if formats:
        from pathnet_evo.report.figures import save_figures
        from pathnet_evo.running.concluding import refusals

        with refusals(run):
            for path in save_figures(run, formats):
                say(path)


def _rebuild(folder: Path, contents: Contents) -> None:
    """Write a folder's results, by whoever holds it."""
    from pathnet_evo.running.concluding import rebuild, refusals

    def compute(held: Holder | None) -> dict[Path, str]:
        return {folder / name: text for name, text in contents(folder, held).items()}

    with refusals(folder):
        rebuild(folder, compute)


def _run(folder: Path, held: Holder | None) -> dict[str, str]:
    from pathnet_evo.analysis.summary import summarise
    from pathnet_evo.report.write import PAGE, report_text
    from pathnet_evo.running import concluding

    summary = summarise(folder, lambda _: held)
    return {concluding.SUMMARY: concluding.text(summary), PAGE: report_text(folder, summary)}


def _matrix(folder: Path, held: Holder | None) -> dict[str, str]:
    from pathnet_evo.analysis import matrix
    from pathnet_evo.report.across_runs import matrix_page

    found = matrix.transfer_matrix(folder)
    return {matrix.RESULTS: matrix.text(found), matrix.PAGE: matrix_page(found)}


def _sweep(folder: Path, held: Holder | None) -> dict[str, str]:
    from pathnet_evo.analysis import sweep
    from pathnet_evo.report.across_runs import sweep_page

    found = sweep.reread(folder)
    return {**sweep.texts(found), sweep.PAGE: sweep_page(found)}


def _formats(wanted: str | None) -> list[str]:
    from pathnet_evo.errors import UserError
    from pathnet_evo.system.extras import require

    formats = list(dict.fromkeys(f.strip() for f in wanted.split(","))) if wanted else []
    if unknown := [f for f in formats if f not in FORMATS]:
        raise UserError(
            f"--figures {wanted}: no format {unknown[0]!r} (have: {', '.join(FORMATS)})"
        )
    if formats:
        require("--figures needs", "matplotlib")
    return formats
