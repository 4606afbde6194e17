"""Following a run while someone watches it, and re-reading it on changes."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pathnet_evo.errors import UserError
from pathnet_evo.values.names import visible
from pathnet_evo.watch.reader import read_content
from pathnet_evo.watch.runs import Entry, RunsFolder, signature

LOG = logging.getLogger(__name__)

LOOK = 0.5
"""Seconds between checks for changes."""

REST = 20
"""Rest per CPU time of the last read, so that reading uses at most 5 % of a core."""


def told(folder: Path, error: BaseException) -> tuple[str, str]:
    """A folder and its error, sanitised for a terminal."""
    return visible(str(folder)), visible("".join(traceback.format_exception(error)))


class Listing:
    """The runs of a folder, read once for all concurrent requests.

    Args:
        runs: the folder.
    """

    def __init__(self, runs: RunsFolder) -> None:
        self.runs = runs
        self._reading: asyncio.Task[list[Entry]] | None = None
        self._begun = 0.0

    async def entries(self, fresh: float = 0.0) -> list[Entry]:
        """Every run, from a read in progress or one less than ``fresh`` seconds old."""
        now = asyncio.get_running_loop().time()
        old = self._reading is None or now - self._begun >= fresh
        if self._reading is None or (self._reading.done() and old):
            self._begun = now
            self._reading = asyncio.create_task(asyncio.to_thread(self.runs.entries))
        return await asyncio.shield(self._reading)


@dataclass
class Follower:
    """A followed run.

    Args:
        folder: the run's folder.
        version: how often its content has changed; 0 before it was first read.
        content: what is inside its page; None where it could not be read.
        trouble: why it could not.
        viewers: how many watch.
    """

    folder: Path
    version: int = 0
    content: str | None = None
    trouble: str = ""
    viewers: int = 0
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def follow(self, executor: Executor) -> None:
        """Read the run, and re-read it on every change, forever."""
        loop = asyncio.get_running_loop()
        seen = None
        while True:
            now = signature(self.folder)
            if now != seen:
                seen, seconds = now, 0.0
                try:
                    content, seconds = await loop.run_in_executor(
                        executor, read_content, self.folder
                    )
                    await self._publish(content, "")
                except UserError as error:
                    await self._publish(None, str(error))
                except Exception as error:  # reported to viewers and on the server's terminal
                    LOG.error("%s: no page could be made\n%s", *told(self.folder, error))
                    why = f"{type(error).__name__}: {error}"
                    await self._publish(None, f"{self.folder.name}: no page could be made ({why})")
                await asyncio.sleep(REST * seconds)
            await asyncio.sleep(LOOK)

    async def later_than(self, version: int) -> int:
        """Wait for a later version, and return it."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.version > version)
            return self.version

    async def _publish(self, content: str | None, trouble: str) -> None:
        async with self._changed:
            if (content, trouble) != (self.content, self.trouble):
                self.content, self.trouble = content, trouble
                self.version += 1
                self._changed.notify_all()


class Followers:
    """The runs that have viewers.

    Args:
        executor: where runs are read.
    """

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self._following: dict[Path, tuple[Follower, asyncio.Task[None]]] = {}

    @asynccontextmanager
    async def of(self, folder: Path) -> AsyncIterator[Follower]:
        """A follower of a run, shared by its viewers; the last viewer ends it."""
        if folder not in self._following:
            follower = Follower(folder)
            task = asyncio.create_task(follower.follow(self.executor))
            self._following[folder] = (follower, task)
        follower, task = self._following[folder]
        follower.viewers += 1
        try:
            yield follower
        finally:
            follower.viewers -= 1
            if not follower.viewers:
                del self._following[folder]
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
