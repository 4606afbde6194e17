"""Whether the machine has the memory that so many workers need, by a rough estimate."""

from __future__ import annotations

import math
import os
from pathlib import Path

from pathnet_evo.tasks import EnvironmentTask, TaskError

PROCESS = 300 * 2**20
"""Bytes of a worker process that it shares with none; measured: 289 MiB with torch imported."""
LANE = 2 * 2**20
"""Bytes of one environment; measured: 1.6 MiB for a game of ale-py."""
NUMBER = 4
"""Bytes of a float32."""


def check(task: EnvironmentTask, workers: int, lanes: int, steps: int) -> None:
    """Refuse what cannot fit, before any process is started.

    Args:
        task: what is played.
        workers: how many processes.
        lanes: of each of them.
        steps: of a rollout, whose observations are kept.

    Raises:
        TaskError: more is needed than is free; the message says how many workers fit.
    """
    rollout = steps * math.prod(task.observation_shape) * NUMBER
    each = PROCESS * (workers > 1) + lanes * (LANE + rollout)
    free = available()
    if workers * each > free:
        fit = int(free // each)
        more = f"{fit} would fit" if fit else "take fewer lanes"
        raise TaskError(
            f"{workers} workers of {lanes} lanes need about {workers * each / 2**30:.1f} GiB of "
            f"memory, and {free / 2**30:.1f} GiB are free: {more}"
        )


def available() -> int:
    """Bytes of memory that can be had without swapping; all there is where nobody tells."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    table = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(table["MemAvailable"].split()[0]) * 1024
