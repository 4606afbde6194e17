"""Engines in worker processes, each under a guard, and what becomes of a lane whose engine dies."""

from __future__ import annotations

import itertools
import json
import os
import select
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from pathnet_evo_labyrinth import guard
from pathnet_evo_labyrinth.block import BEGIN, DIED, IDLE, Block
from pathnet_evo_labyrinth.game import Game
from pathnet_evo_labyrinth.requirements import require

PATIENCE = 60
"""Seconds in which a worker must answer; one that does not is ended. Each is waited for by itself,
so that a program that was stopped for a while does not find all of them gone."""
STARTS = 3
"""How often in a row a lane's engine may die before it has begun an episode."""
_cores = itertools.count(os.getpid())
"""Where workers settle, in turn; in another process the first begins elsewhere, by chance."""


class EngineError(RuntimeError):
    """Engines that cannot be started."""


class Engines:
    """The engines of all lanes, spread over as many workers as there are cores.

    Args:
        game: what is played.
        num_envs: how many.
        workers: how many processes drive the engines; nothing for one a core.

    Attributes:
        block: what the lanes are told and what they show.
        causes: of lanes that died in the last ``obey``.
    """

    def __init__(self, game: Game, num_envs: int, workers: int | None = None) -> None:
        require()
        self.game = game
        n = min(num_envs, workers or os.cpu_count() or 1)
        edges = [num_envs * i // n for i in range(n + 1)]
        self.parts = [slice(a, b) for a, b in itertools.pairwise(edges)]
        self.workers: list[Worker | None] = [None] * n
        self._cores = list(itertools.islice(_cores, n))
        self._spec = game.spec(num_envs)
        self.block = Block(self._spec)
        self.causes: dict[int, str] = {}
        self._deaths = np.zeros(num_envs, np.int64)

    def obey(self) -> None:
        """Let every lane do what the block's commands say, all workers at once.

        Raises:
            EngineError: the engine of a lane died again and again as it was started, or all were
                closed.
        """
        if self.block.closed:
            raise EngineError(f"{self.game.name}: its engines were closed")
        self.causes = {}
        asked: list[tuple[int, Worker, bool]] = []
        try:
            self._ask(asked)
            while asked:
                i, worker, reached = asked[0]
                answer = worker.answer() if reached else None
                if answer is None:
                    self._bury(i, worker)
                else:
                    self.causes |= answer
                asked.pop(0)
        finally:  # an answer that nobody heard would be taken for that to the next question
            for i, worker, _ in asked:
                self._bury(i, worker)
        self._count()

    def _ask(self, asked: list[tuple[int, Worker, bool]]) -> None:
        """Tell all workers whose lanes have something to do, and note them down."""
        commands = self.block.commands
        for i, part in enumerate(self.parts):
            worker = self.workers[i]
            if worker is None:
                begun = commands[part] == BEGIN
                if not begun.any():
                    continue
                commands[part] = np.where(begun, BEGIN, IDLE)
                worker = self.workers[i] = Worker(self._spec, self.block, part, self._cores[i])
            asked.append((i, worker, worker.ask()))

    def close(self) -> None:
        """End all workers and their engines; may be called twice."""
        ended = [worker for worker in self.workers if worker is not None]
        self.workers = [None] * len(self.workers)
        for worker in ended:
            worker.end()
        for worker in ended:
            worker.wait()
        self.block.close()

    def _bury(self, i: int, worker: Worker) -> None:
        """A worker is gone, or does not answer, and all its lanes with it."""
        self.workers[i] = None
        worker.end()
        cause = worker.last_words()
        worker.wait()
        part = self.parts[i]
        self.block.clear(part)
        self.causes |= dict.fromkeys(range(part.start, part.stop), cause)

    def _count(self) -> None:
        """A lane whose engine never comes up must not be started forever."""
        begun = self.block.commands == BEGIN
        if not begun.any():
            return
        died = self.block.status == DIED
        self._deaths[begun & died] += 1
        self._deaths[begun & ~died] = 0
        if (self._deaths >= STARTS).any():
            lane = int(np.argmax(self._deaths))
            raise EngineError(
                f"{self.game.name}: the engine of lane {lane} died {STARTS} times as it was started"
                f": {self.causes.get(lane, 'no cause known')}"
            )


class Worker:
    """A worker and its guard.

    Args:
        spec: what is played.
        block: that of all lanes.
        part: the worker's own.
        core: where it settles.

    Attributes:
        folder: of the guard, the worker and its engines.
    """

    def __init__(self, spec: dict[str, Any], block: Block, part: slice, core: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pathnet-evo-labyrinth-"))
        told = {**spec, "part": (part.start, part.stop), "core": core, "file": block.file}
        (self.folder / "spec.json").write_text(json.dumps(told))
        self._log = (self.folder / "log").open("w+", errors="replace")  # outlives its name
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path]),
        }
        command = [sys.executable, "-m", "pathnet_evo_labyrinth.worker"]
        self.guard = subprocess.Popen(  # noqa: S603 (our own guard)
            [sys.executable, "-I", guard.__file__, str(os.getpid()), str(self.folder), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
            pass_fds=[block.file],
            env=environment,
        )
        assert self.guard.stdout is not None
        self._poll = select.poll()
        self._poll.register(self.guard.stdout, select.POLLIN)
        self._text = b""
        self._end = weakref.finalize(self, _end, self.guard)

    def ask(self) -> bool:
        """Have the commands in the block obeyed; whether the worker is there to do it."""
        assert self.guard.stdin is not None
        try:
            self.guard.stdin.write(b"g")
        except OSError:
            return False
        return True

    def answer(self) -> dict[int, str] | None:
        """Causes of death by lane, once the commands are done; None when the worker is gone."""
        assert self.guard.stdout is not None
        waited = 0
        while b"\n" not in self._text:
            if not self._poll.poll(1000):
                waited += 1
                if waited >= PATIENCE:
                    return None
                continue
            more = self.guard.stdout.read(65536)
            if not more:
                return None
            self._text += more
        line, self._text = self._text.split(b"\n", 1)
        return {int(lane): cause for lane, cause in json.loads(line).items()} if line else {}

    def last_words(self) -> str:
        """The last line that the worker or its engines wrote, if there is one."""
        lines = [line.strip() for line in self._log if line.strip()]
        if lines:
            return f"the worker of this lane is gone; its last words: {' '.join(lines)[-300:]}"
        return "the worker of this lane is gone, or did not answer in time"

    def end(self) -> None:
        """Have the guard end everything."""
        self._end()

    def wait(self) -> None:
        """Until the guard is gone; what one that hangs has not swept is swept here."""
        for _ in range(2 * guard.PATIENCE):
            with suppress(subprocess.TimeoutExpired):
                self.guard.wait(1)
                break
        else:
            self.guard.kill()
            self.guard.wait()
            guard.sweep(self.folder)
        self._log.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        process.terminate()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


__all__: Sequence[str] = ["EngineError", "Engines", "require"]
