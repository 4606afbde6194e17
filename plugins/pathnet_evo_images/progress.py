"""A progress bar on a terminal for what takes a while."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Advance(Protocol):
    """Tells a bar of things done."""

    def __call__(self, done: int) -> None:
        """So many more are done."""


@contextmanager
def progress(what: str, n: int) -> Iterator[Advance]:
    """A bar on a terminal's standard error.

    Args:
        what: what is done, such as ``cifar10: decoding 60,000 images``.
        n: number of things to do.
    """
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=n)
        yield lambda done: bar.advance(task, done)
