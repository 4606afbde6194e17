"""``pathnet-evo rm``: remove runs, matrices and sweeps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pathnet_evo.cli.status import Status
from pathnet_evo.cli.terminal import say


def rm(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Folders of runs, matrices or sweeps.")
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking.")] = False,
) -> None:
    """Remove runs, with all that they learned, after a question.

    A running run, a folder that is no run, and links are refused; then nothing is removed. What is
    left of a run that was killed before it started can be removed too.
    """
    from pathnet_evo.running.removing import check_removable, outermost, remove

    kept = 0
    for about in outermost([check_removable(run) for run in runs]):
        if yes or _agreed(f"remove {about}? [y/N] "):
            remove(about.folder)
            say(f"{about.folder}: removed")
        else:
            kept += 1
            say(f"{about.folder}: kept")
    if kept:
        raise typer.Exit(Status.FAILED)


def _agreed(question: str) -> bool:
    """Ask; an end of input is a no."""
    say(question, err=True, end="")
    try:
        return input().strip().lower() in ("y", "yes")
    except EOFError:
        say(err=True)
        return False
