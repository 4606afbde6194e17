"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

RunsDir: TypeAlias = Annotated[Path, typer.Option(help="Folder that holds all runs.")]
RunName: TypeAlias = Annotated[
    str | None, typer.Option(help="Name of the run's folder, a new one.")
]
Seeds: TypeAlias = Annotated[int | None, typer.Option(min=1, help="Number of seeds.")]
Jobs: TypeAlias = Annotated[int | None, typer.Option(min=1, help="Trials to run in parallel.")]
ExecutorName: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAME", help="Where trials run: inline, processes, ...")
]
Device: TypeAlias = Annotated[str | None, typer.Option(help="auto, cpu or cuda.")]
PluginFiles: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option("--plugin", metavar="FILE.py", help="Load a plugin from a file."),
]
SummaryAsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print the summary as JSON and nothing else.")
]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Verbose: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", help="Also print stage starts, generations and failed evaluations."
    ),
]
