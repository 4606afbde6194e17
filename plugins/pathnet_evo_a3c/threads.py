"""Work on groups of lanes, side by side in one process."""

from __future__ import annotations

import math
import multiprocessing
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import pairwise
from typing import Any

import torch

from pathnet_evo import EnvironmentTask

SMALL = 1000
"""Numbers in an observation, below which threads would wait for Python most of the time."""


class Threads:
    """Calls a function for each of some things at the same time; torch and emulators allow it.

    Args:
        n: how many threads; with one everything is done in the caller's.
    """

    def __init__(self, n: int) -> None:
        # Torch has as many threads as there are cores; here each takes care of itself.
        self._pool = ThreadPoolExecutor(n, "lanes", torch.set_num_threads, (1,)) if n > 1 else None

    def map(self, function: Callable[..., None], *arguments: Iterable[Any]) -> None:
        """Call for all, wait for all; the first error, if there is any, is raised then."""
        calls = list(zip(*arguments, strict=True))
        if self._pool is None:
            for call in calls:
                function(*call)
            return
        futures = [self._pool.submit(function, *call) for call in calls]
        wait(futures)
        for future in futures:
            future.result()

    def close(self) -> None:
        """End the threads, when they are done."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
            torch.set_num_threads(torch.get_num_threads())  # the last call counts for all


def best(task: EnvironmentTask, device: torch.device) -> int:
    """How many threads make the most of this process's cores.

    One for each, or as many as ``OMP_NUM_THREADS`` allows; but one alone where Python does most of
    the work, on a GPU, and in a process that another one has started, as it is one of several.
    """
    small = math.prod(task.observation_shape) < SMALL
    if small or device.type != "cpu" or multiprocessing.parent_process() is not None:
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    return max(min(cores or 1, int(allowed)), 1) if allowed.isdigit() else cores or 1


def shares(n: int, parts: int) -> list[slice]:
    """``n`` things cut into parts whose sizes differ by one at the most."""
    ends = [n * i // parts for i in range(parts + 1)]
    return [slice(a, b) for a, b in pairwise(ends)]
