"""The A3C learner keeps to the contract of learners."""

import inspect
import math

import pytest
import torch

from pathnet_evo.core.kinds import Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.testing import LearnerContract
from pathnet_evo_a3c.learner import A3C
from pathnet_evo_a3c.ppo import PPO

CHECKS = [
    name
    for name, _ in inspect.getmembers(LearnerContract, inspect.isfunction)
    if name.startswith("test_")
]
SETTINGS = [
    A3C(num_envs=3, rollout_length=4, episodes=2, score_episodes=4),
    A3C(num_envs=1, rollout_length=2, episodes=1, divide="users", score_episodes=2),
    PPO(num_envs=3, rollout_length=4, episodes=2, score_episodes=4, n_batches=3),
]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("learner", SETTINGS, ids=["three lanes", "one lane", "ppo"])
def test_contract(walk, learner, check):
    """Evolution would lose candidates, or what is frozen would change."""
    made = learner

    class Here(LearnerContract):
        def learner(self):
            return made

        def task(self):
            return walk()

        def broken_task(self):
            return walk(reward=math.nan)

    getattr(Here(), check)()


def test_a_new_readout_is_scaled(walk):
    """Large features would settle the policy before anything is learned."""
    pool = ModulePool([Linear(units=5)], 2, walk().input_shape)
    usual, scaled = (
        A3C(readout_scale=scale).readout(pool, walk(), torch.Generator().manual_seed(3))
        for scale in (1, 0.25)
    )
    for name, values in usual.parameters.items():
        torch.testing.assert_close(scaled.parameters[name], values / 4)
        assert values.any()
