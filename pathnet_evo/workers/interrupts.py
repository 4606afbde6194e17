"""Signals that processes started here do not get: a terminal sends Ctrl-C to all of them."""

from __future__ import annotations

import signal
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker


@contextmanager
def blocked(numbers: Collection[signal.Signals]) -> Iterator[None]:
    """Hold signals back while the block lasts, and in a process that it starts until that asks."""
    resource_tracker.ensure_running()  # who starts it within the block ends up with nothing blocked
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
