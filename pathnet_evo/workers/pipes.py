"""Workers as processes of this machine, reached by pipes; tensors lie in shared memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any, ClassVar

import torch
import torch.multiprocessing
from torch import Tensor

from pathnet_evo.plugins.files import CarriedFile, carried_files, import_carried
from pathnet_evo.system import standard_streams
from pathnet_evo.workers import forking
from pathnet_evo.workers.messages import WorkerUnable
from pathnet_evo.workers.orphans import end_with_parent
from pathnet_evo.workers.transport import (
    Transport,
    UnsendableError,
    WorkerLine,
    WorkerLink,
    WorkerMain,
    in_words,
)

GRACE = 10.0
"""Seconds in which a process that closed its pipe must be gone."""


class Pipes(Transport):
    """Processes that share nothing with this one but what they are given.

    They ignore Ctrl-C from their first moment and end when this process ends, however it ends. They
    have the one-file plugins that are loaded here, so a message may hold objects of theirs.
    """

    shares_memory: ClassVar[bool] = True

    def start(self, work: WorkerMain, number: int, name: str, parent: bool = False) -> WorkerLink:
        """Start a process; one that may have children of its own is no daemon."""
        ours, theirs = Pipe()
        deterministic = torch.are_deterministic_algorithms_enabled()
        process = forking.start(
            _live,
            (work, self.line, theirs, number, carried_files(), deterministic),
            name,
            daemon=not parent,
            ignored=forking.ENDINGS if parent else forking.INTERRUPTS,
        )
        theirs.close()
        return self.link(process, ours)

    def wait(self, links: Sequence[WorkerLink], timeout: float) -> list[WorkerLink]:
        """Wait for what the processes send, and for their ends."""
        sources: dict[Any, WorkerLink] = {}
        for link in links:
            assert isinstance(link, PipeLink)
            sources[link.connection] = sources[link.process.sentinel] = link
        return list(dict.fromkeys(sources[source] for source in wait(list(sources), timeout)))

    def buffer(self, size: int) -> Tensor:
        """Shared memory, which has no name and ends with its users."""
        return share_memory(torch.empty(size, dtype=torch.float32))

    def link(self, process: BaseProcess, connection: Connection) -> PipeLink:
        """The supervisor's end of a pipe."""
        return PipeLink(process, connection)

    @staticmethod
    def line(connection: Connection) -> WorkerLine:
        """The worker's end of a pipe."""
        return PipeLine(connection)


class PipeLine:
    """A worker's end of a pipe."""

    def __init__(self, connection: Connection) -> None:
        self.send = connection.send
        self.receive = connection.recv
        self.poll = connection.poll


class PipeLink(WorkerLink):
    """The supervisor's end of a pipe, and the process at the other."""

    def __init__(self, process: BaseProcess, connection: Connection) -> None:
        self.process, self.connection = process, connection
        self._closed = False

    def send(self, message: Any) -> None:
        """Send; that the process is dead is found out by ``received``."""
        if self._closed:
            return
        try:
            packed = self.packed(message)
        except Exception as error:  # whatever the message's own parts raise
            raise UnsendableError(str(error)) from None
        with suppress(ConnectionError):
            self.connection.send_bytes(packed)

    def received(self) -> Iterator[Any]:
        """What lies in the pipe."""
        try:
            while not self._closed and self.connection.poll():
                yield self.connection.recv()
        except (EOFError, OSError):
            self._closed = True

    @staticmethod
    def packed(message: Any) -> Any:
        """A message as bytes; of tensors in shared memory, where they are."""
        return ForkingPickler.dumps(message)

    @property
    def alive(self) -> bool:
        """Whether the process is there, and its end of the pipe."""
        return not self._closed and self.process.is_alive()

    def kill(self) -> None:
        """Send SIGKILL, which nothing can keep from ending a process."""
        forking.kill(self.process)

    def end(self) -> str:
        """Kill the process; how it had ended before, in words."""
        if self._closed:  # it is ending by itself, and how is to be known
            self.process.join(GRACE)
        status = self.process.exitcode
        forking.kill(self.process)
        self.process.join()
        self._closed = True
        self.connection.close()
        return in_words(self.process.exitcode if status is None else status)

    @property
    def where(self) -> str:
        """The process by its number."""
        return f"process {self.process.pid}"


def share_memory(values: Tensor) -> Tensor:
    """Move a tensor's numbers to shared memory, which has no name and ends with its users."""
    return values.share_memory_()  # type: ignore[no-any-return, no-untyped-call]


def _live(
    work: WorkerMain,
    line_of: Any,
    connection: Connection,
    number: int,
    files: Sequence[CarriedFile],
    deterministic: bool,
) -> None:
    """A worker process, from its first moment to its last."""
    standard_streams.endure()
    end_with_parent()
    torch.set_num_threads(1)
    if deterministic:  # switching imports torch's compiler, which takes a second or two
        torch.use_deterministic_algorithms(True)
    line: WorkerLine = line_of(connection)
    try:
        try:
            import_carried(files, keep=False)
        except Exception as error:
            line.send(WorkerUnable(str(error)))
            return
        work(line, number)
    except (EOFError, ConnectionError):
        return
