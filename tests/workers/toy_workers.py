"""What worker processes of the tests do, and a transport that shares no memory."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
import time
from typing import Any

import numpy as np

from pathnet_evo.workers.pipes import PipeLine, PipeLink, Pipes
from pathnet_evo.workers.transport import Transport


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


def never_ready(line: Any, number: int) -> None:
    """Say nothing."""
    time.sleep(600)


def tell(*names: str) -> None:
    """Write what this process has."""
    told = (
        *map(os.environ.get, names),
        os.getcwd(),
        np.random.random(),  # noqa: NPY002
        "torch" in sys.modules,
        gc.get_freeze_count(),
    )
    sys.stdout.write("".join(f"{what}\n" for what in told))
    sys.stdout.flush()
    sys.stderr.write("told\n")
    sys.stderr.flush()


class ByValueLine(PipeLine):
    """A line whose messages share nothing."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.send = lambda message: connection.send_bytes(pickle.dumps(message))


class ByValueLink(PipeLink):
    """The other end."""

    @staticmethod
    def packed(message: Any) -> bytes:
        """Tensors with their values."""
        return pickle.dumps(message)


class ByValue(Pipes):
    """Pipes as between machines: tensors are copied into messages."""

    shares_memory = False
    buffer = Transport.buffer

    def link(self, process, connection):
        """The supervisor's end."""
        return ByValueLink(process, connection)

    @staticmethod
    def line(connection):
        """The worker's end."""
        return ByValueLine(connection)
