"""What worker processes of the tests do, and a transport that shares no memory."""

from __future__ import annotations

import os
import pickle
import signal
import time
from typing import Any

from pathnet_evo.workers.pipes import PipeLine, PipeLink, Pipes


def echo(line: Any, number: int) -> None:
    """Send back what comes; do as it says."""
    line.send(("ready", number))
    while True:
        order = line.receive()
        if order == "die":
            line.send("dying")
            os.kill(os.getpid(), signal.SIGKILL)
        if order == "hang":
            time.sleep(600)
        if order == "return":
            return
        line.send(order)


class ByValueLine(PipeLine):
    """A line whose messages share nothing."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.send = lambda message: connection.send_bytes(pickle.dumps(message))
        self.receive = lambda: pickle.loads(connection.recv_bytes())


class ByValueLink(PipeLink):
    """The other end."""

    def _put(self, message: Any) -> None:
        self.connection.send_bytes(pickle.dumps(message))

    def _get(self) -> Any:
        return pickle.loads(self.connection.recv_bytes())


class ByValue(Pipes):
    """Pipes as between machines: tensors are copied into messages."""

    shares_memory = False

    def buffer(self, size):
        """Memory of this process alone."""
        import torch

        return torch.empty(size, dtype=torch.float32)

    def link(self, process, connection):
        """The supervisor's end."""
        return ByValueLink(process, connection)

    @staticmethod
    def line(connection):
        """The worker's end."""
        return ByValueLine(connection)
