"""A worker as an actor of Ray: its work runs in one thread, and messages pass through two more."""

from __future__ import annotations

import os
import queue
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import ray
import torch

from pathnet_evo import (
    CarriedFile,
    PluginFileError,
    WorkerLine,
    WorkerMain,
    WorkerUnable,
    import_carried,
    said,
)
from pathnet_evo_ray.packing import packed, unpacked
from pathnet_evo_ray.versions import differences, installed

MOST_WAITING = 256
"""Messages of a worker that may wait to be fetched; the next ``send`` waits."""


@dataclass(frozen=True)
class Start:
    """What a worker needs to begin.

    Args:
        work: what it does.
        number: which of several it is.
        files: the plugin files that are imported where it was started.
        versions: the versions of the packages there.
        folder: the working directory there.
        environment: variables that decide what a process loads.
        threads: for torch.
        deterministic: whether torch uses deterministic algorithms alone.
    """

    work: WorkerMain
    number: int
    files: Sequence[CarriedFile]
    versions: Mapping[str, str]
    folder: str
    environment: Mapping[str, str]
    threads: int
    deterministic: bool


@dataclass(frozen=True)
class Fetched:
    """Messages that a worker gave, and whether there will be no more.

    Args:
        messages: packed, in order.
        ended: how its work ended, in words; None where it goes on.
    """

    messages: Sequence[bytes]
    ended: str | None = None


@dataclass(frozen=True)
class About:
    """Where a worker is.

    Args:
        process: its id.
        node: Ray's id of the node.
        host: the node's address.
    """

    process: int
    node: str
    host: str


@dataclass
class Line:
    """A worker's end: two queues that Ray's threads fill and empty."""

    inbox: queue.SimpleQueue[bytes] = field(default_factory=queue.SimpleQueue)
    outbox: queue.Queue[bytes | None] = field(default_factory=lambda: queue.Queue(MOST_WAITING))

    def send(self, message: Any) -> None:
        """Leave a message to be fetched; it is packed here and now."""
        self.outbox.put(packed(message))

    def receive(self) -> Any:
        """Wait for the next message."""
        return unpacked(self.inbox.get())

    def poll(self) -> bool:
        """Whether there is one."""
        return not self.inbox.empty()


class RayWorker:
    """The process of a worker; it ends with whoever started it."""

    def __init__(self) -> None:
        self._line = Line()
        self._ended = ""

    @ray.method(concurrency_group="work")
    def live(self, start: bytes) -> None:
        """Do the work, from beginning to end."""
        try:
            _live(unpacked(start), self._line)
            self._ended = "ended with status 0"
        except (EOFError, ConnectionError):
            self._ended = "ended with status 0"
        except BaseException as error:
            self._ended = f"ended with {said(error)}"
        self._line.outbox.put(None)

    @ray.method(concurrency_group="put")
    def put(self, message: bytes) -> None:
        """Take a message; they come in the order of their calls."""
        self._line.inbox.put(message)

    @ray.method(concurrency_group="put")
    def about(self) -> About:
        """Where it is."""
        context = ray.get_runtime_context()
        return About(os.getpid(), context.get_node_id(), ray.util.get_node_ip_address())

    @ray.method(concurrency_group="fetch")
    def fetch(self) -> Fetched:
        """Wait for messages, and give all that there are."""
        messages, outbox = [], self._line.outbox
        following = outbox.get()
        while following is not None:
            messages.append(following)
            try:
                following = outbox.get_nowait()
            except queue.Empty:
                return Fetched(messages)
        return Fetched(messages, self._ended)


RayWorkerActor: Any = ray.remote(
    max_restarts=0,
    max_task_retries=0,
    concurrency_groups={"work": 1, "put": 1, "fetch": 1},
)(RayWorker)
"""The same as Ray starts it."""


def _live(start: Start, line: WorkerLine) -> None:
    """Make this process like the one that started it, and work."""
    with suppress(OSError):
        os.chdir(start.folder)
    os.environ.update(start.environment)
    torch.set_num_threads(start.threads)
    if start.deterministic:  # switching imports torch's compiler, which takes a second or two
        torch.use_deterministic_algorithms(True)
    if differing := differences(start.versions, installed()):
        host = ray.util.get_node_ip_address()
        line.send(WorkerUnable(f"node {host} {differing}"))
        return
    try:
        import_carried(start.files)
    except PluginFileError as error:
        line.send(WorkerUnable(str(error)))
        return
    start.work(line, start.number)
