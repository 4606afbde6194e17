"""What any worker may say to its supervisor, and what a supervisor says of a worker."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WorkerUnable:
    """From a worker: it cannot do its work, nor could any other in its place."""

    error: str


@dataclass(frozen=True)
class WorkerLost:
    """Of a worker that died or was ended; it is no longer supervised.

    Args:
        where: what it was, such as ``process 12``.
        ended: how it ended, such as ``was killed by signal 9``.
        overdue: the limit in seconds that it exceeded; None where it ended by itself.
    """

    where: str
    ended: str
    overdue: float | None = None
