"""Workers that are started, listened to, timed, replaced and ended, whatever carries messages."""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pathnet_evo.workers.messages import WorkerLost
from pathnet_evo.workers.transport import Transport, WorkerLink, WorkerMain

TICK = 0.1
"""Seconds after which ``hear`` returns although nothing was heard, so that a run can stop."""


@dataclass(eq=False)
class Supervised:
    """A worker, as its supervisor sees it; a user derives from it what else is known of one.

    Args:
        number: which of them it is; who replaces it has the same.
        link: to the worker.
        ready: whether it has started; until then, the time limit is that of a start.
        waited: seconds for which it was awaited without a sign of life.
    """

    number: int
    link: WorkerLink
    ready: bool = False
    waited: float = 0.0

    @property
    def awaited(self) -> bool:
        """Whether something is to come from it, so that its silence counts."""
        return not self.ready

    def beat(self) -> None:
        """Take a sign of life: the worker has its whole time limit again."""
        self.waited = 0.0


M = TypeVar("M", bound=Supervised)


class Supervisor(Generic[M]):
    """The workers of one user; they end with ``close``, with this object and with this process.

    Silence is counted only while this process waits, so that one which was stopped, such as by
    Ctrl-Z, does not find all its workers overdue.

    Args:
        transport: starts them.
        work: what each does.
        member: makes what this process knows of a worker.
        name: what lists of processes call them, with their number.
        parents: whether they may start workers of their own.

    Attributes:
        members: those that are there.
        timeout: seconds of silence after which one that is awaited is taken to hang.
        start_timeout: the same for one that is not yet ready.
        restarts: how many may still be replaced.
    """

    def __init__(
        self,
        transport: Transport,
        work: WorkerMain,
        member: Callable[[int, WorkerLink], M],
        name: str,
        parents: bool = False,
    ) -> None:
        self.transport = transport
        self._work, self._member = work, member
        self._name, self._parents = name, parents
        self.timeout = self.start_timeout = math.inf
        self.restarts = 0
        self.members: list[M] = []
        self._end = weakref.finalize(self, _end_all, self.members)

    def start(self, number: int) -> M:
        """Start a worker."""
        link = self.transport.start(self._work, number, f"{self._name}-{number}", self._parents)
        member = self._member(number, link)
        self.members.append(member)
        return member

    def replace(self, lost: M) -> M | None:
        """Start a worker in place of one that was lost; None where none may be replaced."""
        if not self.restarts:
            return None
        self.restarts -= 1
        return self.start(lost.number)

    def hear(self, timeout: float = TICK) -> Iterator[tuple[M, Any]]:
        """Wait for a moment; give what workers say, and a ``Lost`` of those that die or hang.

        A worker's messages come before its ``Lost``. Take all of them: what is left over is lost.
        """
        began = time.monotonic()
        heard = self.transport.wait([member.link for member in self.members], timeout)
        waited = min(time.monotonic() - began, 2 * timeout)
        for member in [member for member in self.members if member.link in heard]:
            dead = not member.link.alive
            for message in member.link.received():
                yield member, message
                if member not in self.members:
                    break
            else:
                if dead or not member.link.alive:
                    yield member, self.lose(member)
        for member in list(self.members):
            limit = self.timeout if member.ready else self.start_timeout
            if member.awaited:
                member.waited += waited
                if member.waited > limit:
                    yield member, self.lose(member, limit)

    def lose(self, member: M, overdue: float | None = None) -> WorkerLost:
        """End a worker for good."""
        self.members.remove(member)
        return WorkerLost(member.link.where, member.link.end(), overdue)

    def close(self) -> None:
        """End all workers."""
        self._end()


def _end_all(members: list[Any]) -> None:
    for member in members:
        member.link.kill()
    for member in members:
        member.link.end()
    members.clear()
