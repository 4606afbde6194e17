"""``pathnet-evo report``: write a run's summary and report again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")]) -> None:
    """Write summary.json, figures/ and report.html from a run's lineage, finished or not."""
    import json

    from pathnet_evo.errors import UserError
    from pathnet_evo.report import write_report
    from pathnet_evo.run import matrix
    from pathnet_evo.run.summary import summarise

    if (run / matrix.FILE).is_file():
        matrix.write_matrix(run)
        typer.echo(run / "matrix.json")
        return
    if not (run / "lineage.sqlite").is_file():
        raise UserError(f"{run}: not a run's folder (it has no lineage.sqlite)")
    try:
        (run / "summary.json").write_text(json.dumps(summarise(run), indent=1) + "\n")
        typer.echo(write_report(run))
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be written ({error.strerror})") from None
