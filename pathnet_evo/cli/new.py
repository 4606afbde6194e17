"""``pathnet-evo new``: start your own plugin from a working package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pathnet_evo.cli.terminal import say
from pathnet_evo.errors import UserError


def _kinds(incomplete: str) -> list[str]:
    from pathnet_evo.scaffold import FAMILIES

    return [kind for kind in FAMILIES if kind.startswith(incomplete)]


def new(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="task, learner, strategy, policy, modules, executor or observer.",
            autocompletion=_kinds,
        ),
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the package.")],
    into: Annotated[Path, typer.Option(help="Folder to create the package in.")] = Path(),
    acting: Annotated[
        bool, typer.Option("--acting", help="A learner that acts in environments.")
    ] = False,
) -> None:
    """Create a plugin package with a working example, a contract test and a README."""
    from pathnet_evo.scaffold import write

    if acting and kind != "learner":
        raise UserError(f"--acting is for learners, not for a plugin of kind {kind}")
    folder = write(kind, name, into, "acting" if acting else None)
    say(f"{folder}: created; see its README.md for the next steps")
