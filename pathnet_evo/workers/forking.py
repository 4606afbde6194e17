"""Starting processes, on Linux as forks of one that has imported torch and nothing of a run.

To import torch takes a process two seconds and 300 MB. Here a server does it once, and then forks
each process in hundredths of a second; they share most of that memory (``multiprocessing``'s start
method ``forkserver``). It ends with the process that it serves. Elsewhere, processes are spawned.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import forkserver, reduction, resource_tracker
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np

METHOD = "forkserver" if sys.platform == "linux" else "spawn"
PRELOADED = ["pathnet_evo.executors.preloaded"]
"""What the server imports: nothing that a run chooses, such as plugins."""
WAITS = (0.05, 0.2, 1.0, 3.0)
"""Seconds to wait for a server that was killed to be gone."""
UNKNOWN = 255
"""Exit status of a process whose server is gone."""

INTERRUPTS = (signal.SIGINT,)
"""What a terminal sends to all processes, but is for the one that started them alone."""
ENDINGS = (signal.SIGINT, signal.SIGTERM)
"""The same and what asks a process to end, for processes that end those they started."""


def start(
    target: Callable[..., object],
    args: tuple[Any, ...] = (),
    name: str | None = None,
    daemon: bool = True,
    ignored: Collection[signal.Signals] = INTERRUPTS,
) -> BaseProcess:
    """Start a process.

    Args:
        target: called in it with ``args``.
        args: picklable.
        name: what ``multiprocessing`` calls it.
        daemon: whether it may have no processes of its own, and ends with this one.
        ignored: signals that it ignores from its first moment.

    Raises:
        OSError: the system has no room for another process.
    """
    context = multiprocessing.get_context(METHOD)
    for wait in WAITS:
        process: BaseProcess = context.Process(  # type: ignore[attr-defined]
            target=_begin, args=(_Inherited(), ignored, target, args), name=name, daemon=daemon
        )
        try:
            if METHOD == "forkserver":
                context.set_forkserver_preload(PRELOADED)
                with blocked(ENDINGS):  # in the server, and so in all whom it forks
                    forkserver.ensure_running()
                process.start()  # waits for the server's imports: Ctrl-C does not
            else:
                with blocked(ENDINGS):
                    process.start()
            return process
        except (EOFError, ConnectionError):  # the server is about to be gone, and replaced
            time.sleep(wait)
    raise OSError("the process that starts others ends as soon as it is there")


def kill(process: BaseProcess) -> None:
    """Send SIGKILL, also to a process that its server can tell nothing of, being killed itself."""
    process.kill()
    if process.exitcode == UNKNOWN and process.pid is not None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


@contextmanager
def blocked(numbers: Collection[signal.Signals]) -> Iterator[None]:
    """Block signals, also in a process that is started in the block, until it unblocks them."""
    resource_tracker.ensure_running()  # the first process would start it, which unblocks them
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


class _Open:
    """A file descriptor that has the same number in a process that gets it."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[Any, ...]:
        return _taken, (self.number, reduction.DupFd(self.number))


def _taken(number: int, sent: Any) -> None:
    """Make what was sent the descriptor of that number."""
    got = sent.detach()
    if got != number:
        os.dup2(got, number)
        os.close(got)


def _standard() -> list[_Open]:
    """Standard output and error, as far as they are open."""
    found = []
    for number in (1, 2):
        try:
            os.fstat(number)
        except OSError:
            continue
        found.append(_Open(number))
    return found


@dataclass
class _Inherited:
    """What a process has of the one that starts it, and would else have of the server."""

    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    streams: list[_Open] = field(default_factory=_standard)

    def take(self) -> None:
        """Take it over in the new process."""
        if dict(os.environ) != self.environment:
            os.environ.clear()
            os.environ.update(self.environment)
        np.random.seed()  # noqa: NPY002 (no two processes draw the same)


def _begin(
    inherited: _Inherited,
    ignored: Collection[signal.Signals],
    target: Callable[..., object],
    args: tuple[Any, ...],
) -> None:
    """A process, from its first moment to its last."""
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)  # blocked until they could be ignored
    inherited.take()
    target(*args)
