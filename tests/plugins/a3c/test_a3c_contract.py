"""The A3C learner keeps to the contract of learners."""

import inspect
import math

import pytest

from pathnet_evo.testing import LearnerContract
from pathnet_evo_a3c.learner import A3C

CHECKS = [
    name
    for name, _ in inspect.getmembers(LearnerContract, inspect.isfunction)
    if name.startswith("test_")
]
SETTINGS = [
    {"lanes": 3, "steps": 4, "episodes": 2, "score_episodes": 4},
    {"lanes": 1, "steps": 2, "episodes": 1, "divide": "users", "score_episodes": 2},
]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("settings", SETTINGS, ids=["three lanes", "one lane"])
def test_contract(walk, settings, check):
    """Evolution would lose candidates, or what is frozen would change."""

    class Here(LearnerContract):
        def learner(self):
            return A3C(**settings)

        def task(self):
            return walk()

        def broken_task(self):
            return walk(reward=math.nan)

    getattr(Here(), check)()
