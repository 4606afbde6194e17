"""Memory that the environment shares with its workers: commands in, pictures and numbers out."""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

IDLE, BEGIN = -1, -2
"""Commands beside the actions, which are 0, 1, ...: do nothing; begin an episode."""
FINE, FINISHED, DIED = 0, 1, 2
"""What became of a lane: it goes on, the engine ended its episode, its engine is gone."""


class Block:
    """Arrays of all lanes in memory that several processes map.

    It has no name in the file system, so that nothing is left of it when the last process is gone.

    Args:
        spec: what is played; its ``lanes``, ``variables``, ``observation``, ``screen`` and
            ``pictures`` give the shapes.
        file: descriptor of another block's memory; nothing for memory of its own.

    Attributes:
        file: descriptor of the memory, for a process that is to share it.
        commands: ``(lanes,)`` int32, an action, ``IDLE`` or ``BEGIN``.
        seeds: ``(lanes,)`` int64, for episodes that begin.
        maps: ``(lanes,)`` int32, likewise.
        status: ``(lanes,)`` uint8.
        rewards: ``(lanes,)`` float64, the engine's own.
        variables: ``(lanes, variables)`` float64.
        observations: ``(lanes, 3, height, width)`` uint8; black before an engine has begun, and
            where its worker is gone.
        pictures: ``(lanes, 3, *screen)`` uint8, or of length 0.
    """

    variables: NDArray[np.float64]
    rewards: NDArray[np.float64]
    seeds: NDArray[np.int64]
    commands: NDArray[np.int32]
    maps: NDArray[np.int32]
    status: NDArray[np.uint8]
    observations: NDArray[np.uint8]
    pictures: NDArray[np.uint8]

    def __init__(self, spec: dict[str, Any], file: int | None = None) -> None:
        lanes = spec["lanes"]
        fields: list[tuple[str, Any, tuple[int, ...]]] = [
            ("variables", np.float64, (lanes, len(spec["variables"]))),
            ("rewards", np.float64, (lanes,)),
            ("seeds", np.int64, (lanes,)),
            ("commands", np.int32, (lanes,)),
            ("maps", np.int32, (lanes,)),
            ("status", np.uint8, (lanes,)),
            ("observations", np.uint8, (lanes, 3, *spec["observation"])),
            ("pictures", np.uint8, (lanes if spec["pictures"] else 0, 3, *spec["screen"])),
        ]
        sizes = [int(np.prod(shape)) * np.dtype(kind).itemsize for _, kind, shape in fields]
        self.file = _nameless() if file is None else file
        self._close = weakref.finalize(self, os.close, self.file)
        if file is None:
            os.truncate(self.file, sum(sizes))
        memory = mmap.mmap(self.file, sum(sizes))
        offset = 0
        for (name, kind, shape), size in zip(fields, sizes, strict=True):
            part = np.frombuffer(memory, np.uint8, size, offset)
            setattr(self, name, part.view(kind).reshape(shape))
            offset += size

    def clear(self, part: slice) -> None:
        """Some lanes have no worker any more."""
        self.status[part] = DIED
        for values in (self.variables, self.rewards, self.observations, self.pictures):
            values[part] = 0

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return not self._close.alive

    def close(self) -> None:
        """Nobody else is to share it; may be called twice."""
        self._close()


def _nameless() -> int:
    """An empty file that only its descriptor leads to."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("pathnet-evo-labyrinth")
    with tempfile.TemporaryFile() as temporary:
        return os.dup(temporary.fileno())
