"""Workers as actors of Ray, reached by value through its calls."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import ray
import torch
from ray.exceptions import ActorUnavailableError, GetTimeoutError, RayError

from pathnet_evo import Transport, WorkerLink, WorkerMain, carried_files
from pathnet_evo_ray.packing import packed, unpacked
from pathnet_evo_ray.versions import installed
from pathnet_evo_ray.worker import About, Fetched, RayWorkerActor, Start

GRACE = 15.0
"""Seconds in which an actor that was killed must be gone."""
SETTLING, PAUSE = 5.0, 0.1
"""Seconds in which Ray finds out that an actor is unavailable because its node is gone, and those
between two looks."""
CARRIED = ("PATHNET_EVO_PLUGINS",)
"""Environment variables that decide what a process loads."""


class RayTransport(Transport):
    """Actors of the cluster that this process is connected to; see ``cluster.connected``.

    They end when this process or its connection ends, however it ends.

    Args:
        cpus: CPUs of each worker; torch has as many threads.
        gpus: GPUs of each worker; a fraction is a share of one.
    """

    def __init__(self, cpus: float = 1, gpus: float = 0) -> None:
        self.cpus, self.gpus = cpus, gpus
        self._versions = installed()

    def start(self, work: WorkerMain, number: int, name: str, parent: bool = False) -> WorkerLink:
        """Start an actor wherever there is room for it, now or later."""
        start = Start(
            work,
            number,
            carried_files(),
            self._versions,
            os.getcwd(),
            {key: os.environ[key] for key in CARRIED if key in os.environ},
            max(int(self.cpus), 1),
            torch.are_deterministic_algorithms_enabled(),
        )
        actor = RayWorkerActor.options(num_cpus=self.cpus, num_gpus=self.gpus).remote()
        return RayLink(actor, actor.live.options(name=name).remote(packed(start)))

    def wait(self, links: Sequence[WorkerLink], timeout: float) -> list[WorkerLink]:
        """Wait for what the actors send, and for their ends."""
        if not links:
            time.sleep(timeout)
            return []
        waited: dict[Any, WorkerLink] = {}
        for link in links:
            assert isinstance(link, RayLink)
            if link.pending is None:  # its end is known
                timeout = 0
            else:
                waited[link.pending] = link
        over = [link for link in links if link not in waited.values()]
        if not waited:
            return over
        found, _ = ray.wait(list(waited), num_returns=1, timeout=timeout)
        if found:  # and whichever else are there
            found, _ = ray.wait(list(waited), num_returns=len(waited), timeout=0)
        return [*over, *(waited[ref] for ref in found)]


class RayLink(WorkerLink):
    """The supervisor's end: the actor, and the call that waits for its next messages.

    Attributes:
        pending: that call; None once the actor has ended.
    """

    def __init__(self, actor: Any, life: Any) -> None:
        self._actor, self._life = actor, life
        self._about = actor.about.remote()
        self._known: About | None = None
        self._ended: str | None = None
        self.pending: Any = actor.fetch.remote()

    def send(self, message: Any) -> None:
        """Send; that the actor is dead is found out by ``received``."""
        if self._ended is None:
            content = packed(message)
            with suppress(RayError):
                self._actor.put.remote(content)

    def received(self) -> Iterator[Any]:
        """What has been fetched."""
        while self.pending is not None and ray.wait([self.pending], timeout=0)[0]:
            try:
                fetched: Fetched = ray.get(self.pending)
            except RayError as error:
                self._over(self._cause(error))
                return
            if fetched.ended is None:
                self.pending = self._actor.fetch.remote()
            else:
                self._over(fetched.ended)
            yield from map(unpacked, fetched.messages)

    @property
    def alive(self) -> bool:
        """Whether more can be fetched."""
        return self.pending is not None

    def kill(self) -> None:
        """Have Ray kill the process, even one that hangs."""
        if ray.is_initialized():  # otherwise it ended with the connection
            ray.kill(self._actor)

    def end(self) -> str:
        """Kill the actor and wait until Ray knows that it is gone."""
        self.kill()
        if ray.is_initialized():
            ray.wait([self._life], timeout=GRACE)
        self._over("was killed by signal 9")
        assert self._ended is not None
        return self._ended

    @property
    def where(self) -> str:
        """Process and node."""
        about = self._placed
        if about is None:
            return "a process that has not started"
        return f"process {about.process} on node {about.host}"

    def _over(self, ended: str) -> None:
        """Nothing more comes; what is known first of its end is kept."""
        self._ended = self._ended or ended
        self.pending = None

    @property
    def _placed(self) -> About | None:
        if self._known is None and ray.is_initialized():
            with suppress(GetTimeoutError, RayError):
                self._known = ray.get(self._about, timeout=0)
        return self._known

    def _cause(self, error: RayError) -> str:
        """How an actor ended that did not say so itself."""
        about, text = self._placed, str(error)
        patience = SETTLING if isinstance(error, ActorUnavailableError) else 0.0
        if about is not None and not _stays_alive(about.node, patience):
            return f"was lost with its node {about.host}"
        if "Memory on the node" in text:
            return f"was killed by Ray, as its node ran out of memory ({self.where})"
        if "SYSTEM_ERROR" in text:
            return f"was killed, or crashed ({self.where})"
        line = " ".join(text.split())
        return f"was lost: {line[:300]}"


def _stays_alive(node: str, seconds: float) -> bool:
    """Whether a node is there, and still is after some seconds."""
    until = time.monotonic() + seconds
    while alive := any(found["NodeID"] == node and found["Alive"] for found in ray.nodes()):
        if time.monotonic() >= until:
            break
        time.sleep(PAUSE)
    return alive
