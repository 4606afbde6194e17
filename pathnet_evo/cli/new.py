"""``pathnet-evo new``: start a plugin of one's own from a package that works."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pathnet_evo.cli.terminal import say


class Kind(StrEnum):
    """What can be written as a plugin."""

    task = "task"
    learner = "learner"
    strategy = "strategy"
    modules = "modules"
    executor = "executor"


def new(
    kind: Annotated[Kind, typer.Argument(help="What the plugin brings.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="The package's name.")],
    into: Annotated[Path, typer.Option(help="The folder to write it into.")] = Path(),
) -> None:
    """Write a small plugin: a package with a working example, a contract test and a README."""
    from pathnet_evo.scaffold import write

    folder = write(kind.value, name, into)
    say(f"{folder}: a plugin that works; its README.md says how to go on")
