"""Signals that processes started here do not get: a terminal sends Ctrl-C to all of them."""

from __future__ import annotations

import signal
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker


@contextmanager
def blocked(numbers: Collection[signal.Signals]) -> Iterator[None]:
    """Block signals, also in a process that is started in the block, until it unblocks them."""
    resource_tracker.ensure_running()  # the first process would start it, which unblocks them
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
