"""Output of commands, sanitised: quoted text cannot control the terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pathnet_evo.values.names import visible

if TYPE_CHECKING:  # commands that draw no table start without it
    from rich.console import Console
    from rich.text import Text


def say(what: object = "", err: bool = False, end: str = "\n") -> None:
    """Write a line, whatever it quotes.

    Args:
        what: the line, or several.
        err: on standard error.
        end: what follows it.
    """
    stream = sys.stderr if err else sys.stdout
    stream.write(visible(str(what)) + end)
    stream.flush()


def cell(what: object, style: str = "") -> Text:
    """A cell or a heading of a table: never markup, whatever it quotes."""
    from rich.text import Text

    return Text(visible(str(what)), style=style)


def console(err: bool = False, quiet: bool = False, width: int | None = None) -> Console:
    """A console that takes nothing for markup, and highlights nothing."""
    from rich.console import Console

    return Console(stderr=err, quiet=quiet, width=width, highlight=False, markup=False, emoji=False)
