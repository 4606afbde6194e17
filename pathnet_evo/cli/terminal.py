"""All that commands write: text from elsewhere controls no terminal, and readers may leave."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO, cast

from pathnet_evo.names import visible

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
    encoding = stream.encoding or "utf-8"
    text = visible(str(what)) + end
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def cell(what: object, style: str = "") -> Text:
    """A cell or a heading of a table: never markup, whatever it quotes."""
    from rich.text import Text

    return Text(visible(str(what)), style=style)


def console(err: bool = False, quiet: bool = False) -> Console:
    """A console that takes nothing for markup, and highlights nothing."""
    from rich.console import Console

    return Console(stderr=err, quiet=quiet, highlight=False, markup=False, emoji=False)


@contextmanager
def outlasting() -> Iterator[None]:
    """Standard output and error that can be closed by who reads them, such as ``head``.

    What is written afterwards goes nowhere, and the command ends as it would have.
    """
    kept = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast("TextIO", _Outlasting(stream)) for stream in kept)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = kept


class _Outlasting:
    """A stream whose reader may leave."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = open(os.devnull, "w") if stream is None else stream  # noqa: SIM115

    def write(self, text: str) -> int:
        """Write, or throw away once nobody reads."""
        with _reader_may_leave(self._stream):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, if somebody reads."""
        with _reader_may_leave(self._stream):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _reader_may_leave(stream: TextIO) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.EPIPE:
            raise
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
