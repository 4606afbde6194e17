"""Playing episodes that nothing is learned from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from pathnet_evo import EnvironmentTask, Streams
from pathnet_evo_a3c.episodes import EnvironmentFailed, Episodes
from pathnet_evo_a3c.policy import policy_of

MOST_LANES = 64
"""Episodes that are played together at the most."""
LISTENERS = 8
"""Episodes whose observations show what a task's inputs are like."""


def returns(
    task: EnvironmentTask,
    episodes: int,
    num_envs: int,
    act: Callable[[Tensor], Tensor],
    streams: Streams,
    restarts: int = 0,
    name: str = "score",
) -> list[float]:
    """The raw returns of some episodes, which start from seeds of their own.

    Where the environment fails, those that had not ended begin again in a new one. It fails where
    it raises, or gives a reward that is not finite, as an environment whose engine died does.

    Args:
        task: what is played.
        episodes: how many.
        num_envs: how many are played together at the most.
        act: gives ``(K,)`` actions for ``(K, *observation_shape)`` observations.
        streams: the stage's random streams.
        restarts: how often an environment that failed is replaced by a new one.
        name: of what the episodes are for; they are others for another name.

    Raises:
        EnvironmentFailed: it failed once more.
    """
    seeds = [episode_seed(streams, name, i) for i in range(episodes)]
    scores: dict[int, float] = {}
    for left in range(restarts, -1, -1):
        try:
            _play(task, seeds, min(num_envs, MOST_LANES), act, scores)
            break
        except EnvironmentFailed:
            if not left:
                raise
    return [scores[i] for i in range(episodes)]


def _play(
    task: EnvironmentTask,
    seeds: Sequence[int],
    num_envs: int,
    act: Callable[[Tensor], Tensor],
    scores: dict[int, float],
) -> None:
    """Play the episodes that have no score yet to their ends, and score each as it ends."""
    waiting = [i for i in range(len(seeds)) if i not in scores]
    num_envs = min(num_envs, len(waiting))
    playing = [waiting.pop(0) for _ in range(num_envs)]
    returns = np.zeros(len(seeds))
    played = Episodes(task, num_envs)
    try:
        played.reset(np.ones(num_envs, dtype=np.bool_), [seeds[i] for i in playing])
        while any(i >= 0 for i in playing):
            step = played.step(act(torch.from_numpy(played.observations)).numpy())
            for lane, i in enumerate(playing):
                if i >= 0:
                    returns[i] += _finite(step.rewards[lane])
                if step.ended[lane]:
                    if i >= 0:
                        scores[i] = float(returns[i])
                    playing[lane] = waiting.pop(0) if waiting else -1
            played.reset(step.ended, [seeds[i] for i in playing])
    finally:
        played.close()


def _finite(reward: float) -> float:
    if not math.isfinite(reward):
        raise EnvironmentFailed(f"the environment gave a reward of {reward}")
    return reward


def observed(task: EnvironmentTask, n: int, streams: Streams) -> Tensor:
    """``(n, *observation_shape)`` observations of uniformly random actions.

    Args:
        task: what is played.
        n: how many.
        streams: the stage's random streams.
    """
    num_envs, generator = min(n, LISTENERS), streams.torch("observed/actions")
    played, policy, found = Episodes(task, num_envs), policy_of(task), []
    try:
        seeds = [episode_seed(streams, "observed", i) for i in range(num_envs)]
        played.reset(np.ones(num_envs, dtype=np.bool_), seeds)
        for _ in range(-(-n // num_envs)):
            found.append(torch.from_numpy(played.observations.copy()))
            step = played.step(policy.uniform(num_envs, generator).numpy())
            played.reset(step.ended, [seed + 1 for seed in seeds])
    finally:
        played.close()
    return torch.cat(found)[:n]


def episode_seed(streams: Streams, name: str, *key: int) -> int:
    """A seed for an environment, which takes 31 bits."""
    return int(streams.sequence(name, *key).generate_state(1)[0] >> 1)
