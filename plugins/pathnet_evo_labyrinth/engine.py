"""Engines in worker processes, each under a guard, and what becomes of a lane whose engine dies."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from pathnet_evo import Supervised, Supervisor, WorkerLost
from pathnet_evo_labyrinth import worker
from pathnet_evo_labyrinth.block import BEGIN, DIED, IDLE, Block
from pathnet_evo_labyrinth.game import Game
from pathnet_evo_labyrinth.guarded import Guarded
from pathnet_evo_labyrinth.requirements import require

PATIENCE = 60
"""Seconds in which a worker must answer; one that does not is ended."""
STARTS = 3
"""How often in a row a lane's engine may die before it has begun an episode."""
_cores = itertools.count(os.getpid())
"""Where workers settle, in turn; in another process the first begins elsewhere, by chance."""


class EngineError(RuntimeError):
    """Engines that cannot be started."""


@dataclass(eq=False)
class Driver(Supervised):
    """A worker that drives the engines of some lanes; ``asked`` until it answers."""

    ready: bool = True
    asked: bool = False

    @property
    def awaited(self) -> bool:
        """Whether it has yet to answer."""
        return self.asked


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
        cores = list(itertools.islice(_cores, n))
        spec = game.spec(num_envs)
        self.block = block = Block(spec)
        parts = self.parts

        def of_worker(i: int) -> dict[str, Any]:
            part = (parts[i].start, parts[i].stop)
            return {**spec, "part": part, "core": cores[i], "file": block.file}

        transport = Guarded(of_worker, block.file)
        self.workers = Supervisor(transport, worker.work, Driver, "labyrinth")
        self.workers.timeout = PATIENCE
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
        try:
            self._ask()
            while any(driver.asked for driver in self.workers.members):
                self._hear()
        finally:  # an answer that nobody heard would be taken for that to the next question
            for driver in [driver for driver in self.workers.members if driver.asked]:
                self._bury(driver, self.workers.lose(driver))
        self._count()

    def _ask(self) -> None:
        """Tell all workers whose lanes have something to do."""
        commands = self.block.commands
        there = {driver.number: driver for driver in self.workers.members}
        for i, part in enumerate(self.parts):
            driver = there.get(i)
            if driver is None:
                begun = commands[part] == BEGIN
                if not begun.any():
                    continue
                commands[part] = np.where(begun, BEGIN, IDLE)
                driver = self.workers.start(i)
            driver.asked = True
            driver.beat()
            driver.link.send(b"g")

    def _hear(self) -> None:
        for driver, message in self.workers.hear():
            if isinstance(message, WorkerLost):
                self._bury(driver, message)
            else:
                driver.asked = False
                self.causes |= {int(lane): cause for lane, cause in message.items()}

    def close(self) -> None:
        """End all workers and their engines; may be called twice."""
        self.workers.close()
        self.block.close()

    def _bury(self, driver: Driver, lost: WorkerLost) -> None:
        """A worker is gone, or does not answer, and all its lanes with it."""
        driver.asked = False
        part = self.parts[driver.number]
        self.block.clear(part)
        cause = f"the worker of this lane {lost.ended}"
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
                f"{self.game.name}: the engine of lane {lane} died {STARTS} times on start"
                f": {self.causes.get(lane, 'no cause known')}"
            )
