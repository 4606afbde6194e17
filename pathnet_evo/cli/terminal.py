"""Output of commands, sanitised: quoted text cannot control the terminal."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
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


def console(err: bool = False, quiet: bool = False) -> Console:
    """A console that takes nothing for markup, and highlights nothing."""
    from rich.console import Console

    return Console(stderr=err, quiet=quiet, highlight=False, markup=False, emoji=False)


def width() -> int:
    """Columns of the terminal; 100 without one."""
    return shutil.get_terminal_size((100, 24)).columns


def paragraph(text: str, indent: int = 0) -> None:
    """Write text, wrapped between words; a word that is longer than a line stays whole."""
    margin = " " * indent
    room = max(width() - 1, indent + 16)
    for line in visible(text).splitlines() or [""]:
        wrapped = textwrap.fill(
            line,
            room,
            initial_indent=margin,
            subsequent_indent=margin,
            break_long_words=False,
            break_on_hyphens=False,
        )
        say(wrapped)


def definitions(entries: Sequence[tuple[str, str]]) -> None:
    """Write names and what they mean: in two columns, or below each other where it is narrow."""
    longest = max((len(visible(name)) for name, _ in entries), default=0)
    for name, meaning in entries:
        if width() - longest < 40:
            paragraph(name)
            paragraph(meaning, indent=4)
            continue
        lines = textwrap.wrap(visible(meaning), width() - longest - 3, break_on_hyphens=False) or [
            ""
        ]
        for first, line in zip([visible(name), *[""] * len(lines)], lines, strict=False):
            say(f"{first:{longest}}  {line}".rstrip())
