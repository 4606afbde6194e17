"""Whether the machine has the memory that so many workers need, by a rough estimate."""

from __future__ import annotations

import math

from pathnet_evo import EnvironmentTask, TaskError, memory

LANE = 2 * 2**20
"""Bytes of one environment; measured: 1.6 MiB for a game of ale-py."""


def check(task: EnvironmentTask, workers: int, num_envs: int, steps: int) -> None:
    """Refuse what cannot fit, before any process is started.

    Args:
        task: what is played.
        workers: how many processes.
        num_envs: of each of them.
        steps: of a rollout, whose observations and logits are kept.

    Raises:
        TaskError: more is needed than is free; the message says how many workers fit.
    """
    rollout = steps * (math.prod(task.observation_shape) + task.n_actions) * memory.NUMBER
    each = memory.PROCESS * (workers > 1) + num_envs * (LANE + rollout)
    free = memory.available()
    if workers * each > free:
        fit = free // each
        more = f"{fit} would fit" if fit else "take fewer environments"
        raise TaskError(
            f"{workers} workers of {num_envs} environments, with {task.n_actions} actions, need "
            f"about {memory.gibibytes(workers * each)} of memory, and {memory.gibibytes(free)} are "
            f"free: {more}"
        )
