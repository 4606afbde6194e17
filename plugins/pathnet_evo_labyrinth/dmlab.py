"""DeepMind Lab's own levels, where a user has built it."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.typing import NDArray

from pathnet_evo import TaskError
from pathnet_evo_labyrinth.actions import ACTIONS, REPEAT, Action

NAMES = {
    "seekavoid_arena": "seekavoid_arena_01",
    "nav_maze": "nav_maze_random_goal_01",
}
"""What Lab calls the levels that have another name there."""
LOOK = 20
"""Pixels a frame that the mouse moves when looking left or right: two degrees."""
SPEC = (
    "LOOK_LEFT_RIGHT_PIXELS_PER_FRAME",
    "LOOK_DOWN_UP_PIXELS_PER_FRAME",
    "STRAFE_LEFT_RIGHT",
    "MOVE_BACK_FORWARD",
    "FIRE",
    "JUMP",
    "CROUCH",
)
"""Lab's actions, by the names that its ``action_spec`` gives them."""


def require() -> None:
    """Whether Lab is there.

    Raises:
        TaskError: it is not; how it is obtained.
    """
    if importlib.util.find_spec("deepmind_lab") is None:
        raise TaskError(
            'engine "dmlab" needs the module deepmind_lab, which is not installed and has no '
            "package to download: build its Python package as "
            'https://github.com/google-deepmind/lab says, or use engine "vizdoom"'
        )


def lanes(
    level: str,
    n: int,
    seeds: Sequence[int],
    size: tuple[int, int],
    seconds: float | None = None,
) -> SyncVectorEnv:
    """Some lanes of a level, stepped one after another."""
    made = SyncVectorEnv(
        [partial(DeepMindLab, level, size, seconds, seed) for seed in seeds[:n]],
        autoreset_mode=AutoresetMode.NEXT_STEP,
    )
    made.metadata = {**made.metadata, "reset_mask": True}
    return made


class DeepMindLab(gymnasium.Env[NDArray[np.uint8], np.int64]):
    """A level of DeepMind Lab, with the observations and actions that all our levels have.

    Args:
        level: one of our names, or one of Lab's.
        size: height and width of observations.
        seconds: how long an episode is; nothing for the level's own length.
        seed: of the first episode; the following ones draw from it.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 15}  # noqa: RUF012 (Gymnasium's way)
    render_mode = "rgb_array"

    def __init__(
        self, level: str, size: tuple[int, int], seconds: float | None = None, seed: int = 0
    ) -> None:
        require()
        import deepmind_lab

        config = {"height": str(size[0]), "width": str(size[1])}
        if seconds is not None:
            config["episodeLengthSeconds"] = f"{seconds:g}"
        self._lab = deepmind_lab.Lab(NAMES.get(level, level), ["RGB"], config)
        order = [spec["name"] for spec in self._lab.action_spec()]
        self._actions = [_pressed(action, order) for action in ACTIONS]
        self.observation_space = Box(0, 255, (3, *size), np.uint8)
        self.action_space = Discrete(len(ACTIONS))
        self._seen = np.zeros((3, *size), np.uint8)
        self._rng = np.random.default_rng(seed)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """Begin an episode; a seed is that of this and the following ones."""
        super().reset(seed=seed)
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        self._lab.reset(seed=int(self._rng.integers(2**31)))
        return self._look(), {}

    def step(self, action: np.int64) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        """Hold an action for four frames; Lab does not say whether an end was one of time."""
        reward = self._lab.step(self._actions[int(action)], num_steps=REPEAT)
        over = not self._lab.is_running()
        return self._look(), float(reward), over, False, {}

    def render(self) -> NDArray[np.uint8]:
        """What is seen, ``(height, width, 3)``."""
        return np.ascontiguousarray(self._seen.transpose(1, 2, 0))

    def close(self) -> None:
        """End the level."""
        self._lab.close()

    def _look(self) -> NDArray[np.uint8]:
        """What is seen; of a finished episode there is no picture any more."""
        if self._lab.is_running():
            self._seen = np.array(self._lab.observations()["RGB"], np.uint8)
        return self._seen.copy()


def _pressed(action: Action, order: Sequence[str]) -> NDArray[np.intc]:
    values = {
        "LOOK_LEFT_RIGHT_PIXELS_PER_FRAME": LOOK * int(np.sign(action.turn)),
        "STRAFE_LEFT_RIGHT": action.strafe,
        "MOVE_BACK_FORWARD": action.forward,
        "FIRE": action.fire,
        "JUMP": action.jump,
    }
    return np.array([values.get(name, 0) for name in order], dtype=np.intc)
