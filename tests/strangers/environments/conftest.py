"""What the tests of other people's environments share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def run_of() -> Callable[..., dict[str, Any]]:
    """Makes a tiny run's configuration, of a ``gym`` task."""

    def configuration(task: dict[str, Any], **learner: object) -> dict[str, Any]:
        return {
            "name": "strange",
            "arms": ["pathnet"],
            "pool": {"modules": 2, "width": 1, "layers": [{"kind": "linear", "units": 4}]},
            "strategy": {"name": "asynchronous-tournament", "population": 2},
            "learner": {
                "name": "a3c",
                "num_envs": 2,
                "rollout_length": 3,
                "episodes": 1,
                "score_episodes": 2,
            }
            | learner,
            "stages": [{"frames": 24, "task": {"name": "gym", **task}}],
        }

    return configuration
