"""Standard streams that survive closed pipes, full disks and narrow encodings."""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TextIO

from pathnet_evo.values.names import visible

NAMES = {1: "stdout", 2: "stderr"}


class Enduring(io.RawIOBase):
    """Writes to a file descriptor while that works, and drops the rest.

    Args:
        descriptor: it is duplicated, so that whoever closes it closes nothing of this.

    Attributes:
        error: why nothing is written any more, or None.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = os.dup(descriptor)
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write; a failure is kept, not raised."""
        while self.error is None:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:
                select.select([], [self._descriptor], [])
            except OSError as error:
                self.error = error
        return memoryview(data).nbytes

    def writable(self) -> bool:
        """True."""
        return True

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def close(self) -> None:
        """Give the descriptor back."""
        if not self.closed:
            os.close(self._descriptor)
        super().close()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._descriptor)


def endure() -> None:
    """Replace this process's standard streams with ones that never raise.

    Letters that the encoding lacks are written as escapes. Streams that somebody else has put in
    place of Python's own are left alone.
    """
    open_descriptors()
    for descriptor, name in NAMES.items():
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif stream is getattr(sys, f"__{name}__"):
            setattr(sys, name, _opened(descriptor, stream))


def warn(text: str) -> None:
    """Write a sanitised line to standard error, if possible."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"{visible(text)}\n")


def lost() -> str | None:
    """Why standard output is incomplete; None if it is complete or its reader closed it."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    with suppress(ValueError):
        sys.stdout.flush()
    if not isinstance(raw, Enduring) or raw.error is None or raw.error.errno == errno.EPIPE:
        return None
    return raw.error.strerror


def put_back(stdout: Any, stderr: Any) -> list[str]:
    """Restore the standard streams, and reopen closed ones; return which, in words."""
    changed = open_descriptors(NAMES)
    for descriptor, stream in zip(NAMES, (stdout, stderr), strict=True):
        name = NAMES[descriptor]
        setattr(sys, name, stream)
        if getattr(stream, "closed", False):
            setattr(sys, name, _opened(descriptor, stream))
            changed.append(f"closed sys.{name}")
    return changed


def open_descriptors(descriptors: Iterable[int] = (0, 1, 2)) -> list[str]:
    """Reopen closed standard descriptors, or the next file would become one."""
    changed = []
    for descriptor in descriptors:
        try:
            os.fstat(descriptor)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)  # the lowest that is free: this one
            if null != descriptor:
                os.dup2(null, descriptor)
                os.close(null)
            os.set_inheritable(descriptor, True)
            changed.append(f"closed file descriptor {descriptor}")
    return changed


def _opened(descriptor: int, like: TextIO) -> TextIO:
    return io.TextIOWrapper(
        io.BufferedWriter(Enduring(descriptor)),
        encoding=getattr(like, "encoding", None) or "utf-8",
        errors="backslashreplace",
        line_buffering=descriptor == 2 or os.isatty(descriptor),
        write_through=bool(getattr(like, "write_through", False)),
    )
