"""Whether the machine has the memory that so many workers need, by a rough estimate."""

from __future__ import annotations

import math

from pathnet_evo.interfaces.memory import NUMBER, PROCESS, available, gibibytes
from pathnet_evo.interfaces.tasks import EnvironmentTask, TaskError

LANE = 2 * 2**20
"""Bytes of one environment; measured: 1.6 MiB for a game of ale-py."""


def check(task: EnvironmentTask, workers: int, lanes: int, steps: int) -> None:
    """Refuse what cannot fit, before any process is started.

    Args:
        task: what is played.
        workers: how many processes.
        lanes: of each of them.
        steps: of a rollout, whose observations and logits are kept.

    Raises:
        TaskError: more is needed than is free; the message says how many workers fit.
    """
    rollout = steps * (math.prod(task.observation_shape) + task.n_actions) * NUMBER
    each = PROCESS * (workers > 1) + lanes * (LANE + rollout)
    free = available()
    if workers * each > free:
        fit = free // each
        more = f"{fit} would fit" if fit else "take fewer lanes"
        raise TaskError(
            f"{workers} workers of {lanes} lanes, with {task.n_actions} actions, need about "
            f"{gibibytes(workers * each)} of memory, and {gibibytes(free)} are free: {more}"
        )
