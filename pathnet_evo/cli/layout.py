"""Text and tables that fit the terminal: nothing is cut off, however narrow it is."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pathnet_evo.cli.terminal import console, say
from pathnet_evo.values.names import visible

if TYPE_CHECKING:  # commands that draw no table start without it
    from rich.table import Table

UNLIMITED = 10_000
"""Columns where nobody looks: lines of files and pipes are not wrapped."""
NARROW = 40
"""Columns that a definition needs to stand beside its name."""


def width() -> int:
    """Columns of the terminal."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS"):
        return shutil.get_terminal_size().columns
    return UNLIMITED


def paragraph(text: str, indent: int = 0) -> None:
    """Write text, wrapped between words; a word that is longer than a line stays whole."""
    margin = " " * indent
    for line in visible(text).splitlines() or [""]:
        say("\n".join(margin + part for part in _wrapped(line, width() - indent)))


def definitions(entries: Sequence[tuple[str, str]]) -> None:
    """Write names and what they mean: in two columns, or below each other where it is narrow.

    Args:
        entries: names and meanings; a meaning may have several lines.
    """
    longest = max((len(visible(name)) for name, _ in entries), default=0)
    for name, meaning in entries:
        if width() - longest < NARROW:
            paragraph(name)
            paragraph(meaning, indent=4)
            continue
        lines = visible(meaning).splitlines() or [""]
        parts = [part for line in lines for part in _wrapped(line, width() - longest - 2)]
        for first, part in zip([visible(name), *[""] * len(parts)], parts, strict=False):
            say(f"{first:{longest}}  {part}".rstrip())


def show(table: Table, labels: int = 1) -> None:
    """Write a table; where it is too wide, each row as a heading and its values below.

    Args:
        table: a table whose cells are texts.
        labels: its first columns, which say what a row is about.
    """
    out = console(width=width())
    if fits(table, width()):
        out.print(table)
        return
    titles = [str(column.header) for column in table.columns]
    for row in zip(*(map(str, column.cells) for column in table.columns), strict=True):
        paragraph(", ".join(text for text in row[:labels] if text))
        for title, text in zip(titles[labels:], row[labels:], strict=True):
            if text:
                paragraph(f"{title}: {text}" if title else text, indent=2)


def fits(table: Table, columns: int) -> bool:
    """Whether a table fits without wrapping or cutting a cell."""
    from rich.measure import Measurement

    wide = console(width=UNLIMITED)
    return Measurement.get(wide, wide.options, table).maximum <= columns


def _wrapped(line: str, columns: int) -> list[str]:
    """A line in parts that fit; a number stays with its percent sign."""
    bound = re.sub(r"(?<=\d) (?=%)", "\N{NO-BREAK SPACE}", line)
    parts = textwrap.wrap(bound, max(columns, 16), break_long_words=False, break_on_hyphens=False)
    return [part.replace("\N{NO-BREAK SPACE}", " ") for part in parts] or [""]
