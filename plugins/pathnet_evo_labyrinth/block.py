"""Memory that the environment and a worker share: commands in, pictures and numbers out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

IDLE, BEGIN = -1, -2
"""Commands beside the actions, which are 0, 1, ...: do nothing; begin an episode."""
FINE, FINISHED, DIED = 0, 1, 2
"""What became of a lane: it goes on, the engine ended its episode, its engine is gone."""


class Block:
    """Arrays of some lanes in one file that two processes map.

    Args:
        folder: where the files lie.
        spec: what the worker is to do; its ``lanes``, ``variables``, ``observation``, ``screen``
            and ``pictures`` give the shapes. Written beside the block when there is none yet.

    Attributes:
        commands: ``(lanes,)`` int32, an action, ``IDLE`` or ``BEGIN``.
        seeds: ``(lanes,)`` int64, for episodes that begin.
        maps: ``(lanes,)`` int32, likewise.
        status: ``(lanes,)`` uint8.
        rewards: ``(lanes,)`` float64, the engine's own.
        variables: ``(lanes, variables)`` float64.
        observations: ``(lanes, 3, height, width)`` uint8.
        pictures: ``(lanes, 3, *screen)`` uint8, or of length 0.
    """

    def __init__(self, folder: Path, spec: dict[str, Any] | None = None) -> None:
        self.folder = folder
        create = spec is not None
        if spec is None:
            spec = json.loads((folder / "spec.json").read_text())
        else:
            (folder / "spec.json").write_text(json.dumps(spec))
        self.spec = spec
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
        path, shape = folder / "block", sum(sizes)
        memory: np.memmap[Any, np.dtype[np.uint8]] = (
            np.memmap(path, np.uint8, "w+", shape=shape)
            if create
            else np.memmap(path, np.uint8, "r+", shape=shape)
        )
        offset = 0
        for (name, kind, shape), size in zip(fields, sizes, strict=True):
            part = np.asarray(memory[offset : offset + size])
            setattr(self, name, part.view(kind).reshape(shape))
            offset += size

    variables: np.ndarray[Any, np.dtype[np.float64]]
    rewards: np.ndarray[Any, np.dtype[np.float64]]
    seeds: np.ndarray[Any, np.dtype[np.int64]]
    commands: np.ndarray[Any, np.dtype[np.int32]]
    maps: np.ndarray[Any, np.dtype[np.int32]]
    status: np.ndarray[Any, np.dtype[np.uint8]]
    observations: np.ndarray[Any, np.dtype[np.uint8]]
    pictures: np.ndarray[Any, np.dtype[np.uint8]]
