"""How a supervisor and its workers reach each other; processes and pipes are one way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Protocol, TypeAlias

import torch
from torch import Tensor


class WorkerLine(Protocol):
    """A worker's end; messages arrive whole, in order, or not at all."""

    def send(self, message: Any) -> None:
        """Send to the supervisor.

        Raises:
            EOFError, OSError: it is gone.
        """

    def receive(self) -> Any:
        """Wait for the next message.

        Raises:
            EOFError, OSError: the supervisor is gone, or wants an end.
        """

    def poll(self) -> bool:
        """Whether ``receive`` would return, or raise, at once."""


WorkerMain: TypeAlias = Callable[[WorkerLine, int], None]
"""A worker's whole life, given its line and its number; a function of a module."""


class WorkerLink(ABC):
    """A supervisor's end, and the worker behind it."""

    @abstractmethod
    def send(self, message: Any) -> None:
        """Send to the worker; to one that is dead, nothing happens.

        Raises:
            UnsendableError: the message cannot leave this process.
        """

    @abstractmethod
    def received(self) -> Iterator[Any]:
        """The messages that are there, without waiting for more."""

    @property
    @abstractmethod
    def alive(self) -> bool:
        """Whether more can come of the worker."""

    @abstractmethod
    def kill(self) -> None:
        """End the worker without waiting for it; may be called twice."""

    @abstractmethod
    def end(self) -> str:
        """End the worker, if it has not ended, and wait for it.

        Returns:
            How it ended, such as ``was killed by signal 9``.
        """

    @property
    @abstractmethod
    def where(self) -> str:
        """What the worker is, such as ``process 12``."""


class Transport(ABC):
    """A way to start workers and to hear of them.

    Attributes:
        shares_memory: whether a tensor of ``buffer`` that was sent once is the same memory at both
            ends; otherwise weights travel by value, and ``buffer`` is not called.
    """

    shares_memory: ClassVar[bool] = False

    @abstractmethod
    def start(self, work: WorkerMain, number: int, name: str, parent: bool = False) -> WorkerLink:
        """Start a worker.

        Args:
            work: what it does; it ends when this returns, and when its supervisor is gone.
            number: which of several it is.
            name: what lists of processes call it.
            parent: whether it may start workers of its own.
        """

    @abstractmethod
    def wait(self, links: Sequence[WorkerLink], timeout: float) -> list[WorkerLink]:
        """Wait until workers say something or die, for ``timeout`` seconds; which ones did."""

    def buffer(self, size: int) -> Tensor:
        """Memory for ``size`` float32 numbers at both ends, where ``shares_memory``."""
        assert not self.shares_memory, "a transport that shares memory allocates it"
        return torch.empty(size, dtype=torch.float32)


class UnsendableError(ValueError):
    """A message that cannot leave its process."""


def in_words(status: int | None) -> str:
    """How a process ended, given its exit status; one below 0 stands for a signal."""
    if status is not None and status < 0:
        return f"was killed by signal {-status}"
    return f"ended with status {status}"
