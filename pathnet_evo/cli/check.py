"""``pathnet-evo check``: verify a whole run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pathnet_evo.cli.terminal import say


def check(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")],
    put_back: Annotated[
        bool,
        typer.Option("--put-back", help="First make run.toml again what the lineage says it was."),
    ] = False,
) -> None:
    """Verify every checkpoint and the lineage of a run; status 1 where something is damaged."""
    from pathnet_evo.running.checking import inspect
    from pathnet_evo.store import reading

    if put_back and reading.put_back(run):
        say("run.toml: put back")

    found = inspect(run)
    for line in found.lines:
        say(line)
    for problem in found.problems:
        say(problem, err=True)
    if found.problems:
        raise typer.Exit(1)
