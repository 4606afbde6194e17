"""``pathnet-evo check``: verify a whole run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pathnet_evo.cli.status import Status
from pathnet_evo.cli.terminal import say


def check(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")],
    put_back: Annotated[
        bool,
        typer.Option("--put-back", help="Restore run.toml from the lineage first."),
    ] = False,
) -> None:
    """Verify a run's lineage and every checkpoint; exit with status 1 if anything is damaged."""
    from pathnet_evo.running.checking import inspect
    from pathnet_evo.store import reading

    if put_back and reading.put_back(run):
        say("run.toml: restored")

    found = inspect(run)
    for line in found.lines:
        say(line)
    for problem in found.problems:
        say(problem, err=True)
    if found.problems:
        raise typer.Exit(Status.FAILED)
