"""Workers as programs under guards, reached by standard input and output."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pathnet_evo import Transport, WorkerLink, WorkerMain
from pathnet_evo_labyrinth import guard


class Guarded(Transport):
    """Starts the module of a worker as a program, and a guard that ends it and its engines.

    A message to a worker is a byte, what it is about lies in the block; one from it is a line of
    JSON.

    Args:
        spec: of a worker, by its number.
        file: the block's file descriptor.
    """

    def __init__(self, spec: Callable[[int], dict[str, Any]], file: int) -> None:
        self._spec, self._file = spec, file

    def start(self, work: WorkerMain, number: int, name: str, parent: bool = False) -> GuardedLink:
        """Start a guard, which starts the worker."""
        return GuardedLink(work.__module__, self._spec(number), self._file)

    def wait(self, links: Sequence[WorkerLink], timeout: float) -> list[WorkerLink]:
        """Wait for lines, and for the ends of workers."""
        poll, of_file = select.poll(), dict[int, WorkerLink]()
        for link in links:
            assert isinstance(link, GuardedLink)
            of_file[link.output] = link
            poll.register(link.output, select.POLLIN)
        return [of_file[file] for file, _ in poll.poll(1000 * timeout)]


class GuardedLink(WorkerLink):
    """A worker and its guard.

    Args:
        module: the worker's.
        spec: what it is to do.
        file: the block's file descriptor.

    Attributes:
        folder: of the guard, the worker and its engines.
        guard: the guard.
        output: the file descriptor that the worker's lines come from.
    """

    def __init__(self, module: str, spec: dict[str, Any], file: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pathnet-evo-labyrinth-"))
        (self.folder / "spec.json").write_text(json.dumps(spec))
        self._log = (self.folder / "log").open("w+", errors="replace")  # outlives its name
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path]),
        }
        command = [sys.executable, "-m", module]
        self.guard = subprocess.Popen(  # noqa: S603 (our own guard)
            [sys.executable, "-I", guard.__file__, str(os.getpid()), str(self.folder), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
            pass_fds=[file],
            env=environment,
        )
        assert self.guard.stdout is not None
        self.output = self.guard.stdout.fileno()
        self._text = b""
        self._closed = False

    def send(self, message: bytes) -> None:
        """Write a byte; that nobody reads it is found out by ``received``."""
        assert self.guard.stdin is not None
        with suppress(OSError, ValueError):
            self.guard.stdin.write(message)

    def received(self) -> Iterator[Any]:
        """What lines there are say; an empty one says nothing, as an empty table."""
        more = b"" if self._closed else os.read(self.output, 65536)
        self._closed = not more
        *lines, self._text = (self._text + more).split(b"\n")
        for line in lines:
            yield json.loads(line) if line else {}

    @property
    def alive(self) -> bool:
        """Whether the worker's end of the pipe is open."""
        return not self._closed

    def kill(self) -> None:
        """Have the guard end everything."""
        self._closed = True
        with suppress(OSError):
            self.guard.terminate()
        for pipe in (self.guard.stdin, self.guard.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def end(self) -> str:
        """Wait until the guard is gone; what one that hangs has not swept is swept here.

        Returns:
            The last line that the worker or its engines wrote, if there is one.
        """
        self.kill()
        for _ in range(2 * guard.PATIENCE):
            with suppress(subprocess.TimeoutExpired):
                self.guard.wait(1)
                break
        else:
            self.guard.kill()
            self.guard.wait()
            guard.sweep(self.folder)
        with self._log:
            lines = [line.strip() for line in self._log if line.strip()]
        if lines:
            return f"is gone; its last words: {' '.join(lines)[-300:]}"
        return "is gone, or did not answer in time"

    @property
    def where(self) -> str:
        """The guard by its number."""
        return f"process {self.guard.pid}"
