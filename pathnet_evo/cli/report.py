"""``pathnet-evo report``: rebuild a run's summary and report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from pathnet_evo.cli.terminal import say

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

    Of a matrix or a sweep, its pages are rebuilt.
    """
    import json

    from pathnet_evo.analysis import matrix, sweep
    from pathnet_evo.analysis.summary import summarise
    from pathnet_evo.errors import UserError
    from pathnet_evo.report import write_report
    from pathnet_evo.store.directory import replace
    from pathnet_evo.store.places import check_own

    if (run / matrix.FILE).is_file():
        from pathnet_evo.report.across_runs import matrix_page

        page = run / matrix.PAGE
        with _writing():
            replace(page, matrix_page(matrix.write_matrix(run)))
        say(run / matrix.RESULTS)
        say(page)
        return
    if (run / sweep.FILE).is_file():
        from pathnet_evo.report.across_runs import sweep_page

        with _writing():
            replace(run / sweep.PAGE, sweep_page(sweep.reread(run)))
        for name in (sweep.RESULTS, sweep.TABLE, sweep.PAGE):
            say(run / name)
        return
    if not (run / "lineage.sqlite").is_file():
        raise UserError(f"{run}: not a run's folder (it has no lineage.sqlite)")
    formats = _formats(figures)
    check_own(run)
    with _writing():
        replace(run / "summary.json", json.dumps(summarise(run), indent=1) + "\n")
        say(write_report(run))
        if formats:
            from pathnet_evo.report.figures import save_figures

            for path in save_figures(run, formats):
                say(path)


@contextmanager
def _writing() -> Iterator[None]:
    """Report errors of the file system in one line."""
    from pathnet_evo.errors import UserError

    try:
        yield
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be written ({error.strerror})") from None


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
