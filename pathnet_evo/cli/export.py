"""``pathnet-evo export``: a run's results as tables for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pathnet_evo.cli.terminal import say


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")],
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="DIR", help="Write CSV files to this folder.")
    ] = None,
    parquet: Annotated[
        Path | None,
        typer.Option("--parquet", metavar="DIR", help="Write Parquet files to this folder."),
    ] = None,
) -> None:
    """Write a run's results as tables, finished or not, for pandas, R or a spreadsheet.

    One file each for stages, scores, curves, generations, evaluations, replacements and episodes.
    """
    from pathnet_evo.errors import UserError
    from pathnet_evo.running.loading import load_run
    from pathnet_evo.running.table_files import write_tables

    if csv is None and parquet is None:
        raise UserError(f"export {run}: say where: --csv DIR or --parquet DIR")
    opened = load_run(run)
    if csv is not None:
        for path in write_tables(opened, csv, "csv"):
            say(path)
    if parquet is not None:
        for path in write_tables(opened, parquet, "parquet"):
            say(path)
