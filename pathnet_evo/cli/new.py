"""``pathnet-evo new``: start your own plugin from a working package."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pathnet_evo.cli.terminal import say


class Kind(StrEnum):
    """The families that have a template."""

    task = "task"
    learner = "learner"
    strategy = "strategy"
    modules = "modules"
    executor = "executor"


def new(
    kind: Annotated[Kind, typer.Argument(help="What the plugin provides.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the package.")],
    into: Annotated[Path, typer.Option(help="Folder to create the package in.")] = Path(),
) -> None:
    """Create a plugin package with a working example, a contract test and a README."""
    from pathnet_evo.scaffold import write

    folder = write(kind.value, name, into)
    say(f"{folder}: created; see its README.md for the next steps")
