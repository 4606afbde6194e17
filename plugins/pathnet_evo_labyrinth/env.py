"""One lane of a labyrinth as an environment of Gymnasium."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from pathnet_evo_labyrinth.catalogue import game
from pathnet_evo_labyrinth.engine import EngineError
from pathnet_evo_labyrinth.vector import LabyrinthVectorEnv


class LabyrinthEnv(gymnasium.Env[NDArray[np.uint8], np.int64]):
    """A first-person level.

    Args:
        level: its name, or a file that ends in ``.toml``.
        render_mode: ``rgb_array``, or nothing.
        options: those of ``pathnet_evo_labyrinth.catalogue.game``.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 9}  # noqa: RUF012 (Gymnasium's way)

    def __init__(self, level: str, render_mode: str | None = None, **options: Any) -> None:
        self.render_mode = render_mode
        played = game(level, pictures=render_mode == "rgb_array", **options)
        self._lanes = LabyrinthVectorEnv(played, 1)
        self.observation_space = self._lanes.single_observation_space
        self.action_space = self._lanes.single_action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """Begin an episode; a seed is that of this and the following ones."""
        super().reset(seed=seed)
        seen, infos = self._lanes.reset(seed=seed)
        return seen[0], _first(infos)

    def step(self, action: np.int64) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        """Hold an action for four engine steps.

        Raises:
            EngineError: the engine died; after ``reset`` there is a new one.
        """
        seen, rewards, terminated, truncated, infos = self._lanes.step(np.array([action]))
        if "died" in infos:
            raise EngineError(f"{self._lanes.game.name}: the engine died: {infos['cause'][0]}")
        return seen[0], float(rewards[0]), bool(terminated[0]), bool(truncated[0]), _first(infos)

    def render(self) -> NDArray[np.uint8] | None:
        """What is seen, with the level from above beside it."""
        pictures = self._lanes.render()
        return None if pictures is None else pictures[0]

    def close(self) -> None:
        """End the engine."""
        self._lanes.close()


def _first(infos: dict[str, Any]) -> dict[str, Any]:
    return {name: float(values[0]) for name, values in infos.items() if name not in _TOLD}


_TOLD = ("died", "cause")
