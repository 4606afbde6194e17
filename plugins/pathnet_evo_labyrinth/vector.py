"""Lanes of a labyrinth, stepped together, as a vector environment of Gymnasium."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from pathnet_evo_labyrinth.actions import ACTIONS
from pathnet_evo_labyrinth.block import BEGIN, DIED, FINISHED, IDLE
from pathnet_evo_labyrinth.catalogue import game as find
from pathnet_evo_labyrinth.chart import chart
from pathnet_evo_labyrinth.engine import Engines
from pathnet_evo_labyrinth.game import PLACE, Game

Mask = NDArray[np.bool_]
WHERE = ("position_x", "position_y")
"""Of the variables, those that a chart shows."""
HEIGHT = 480
"""Pixels of a rendered picture, at the least a whole multiple of the engine's."""


class LabyrinthVectorEnv(VectorEnv[Any, Any, Any]):
    """First-person levels; every lane has an engine of its own.

    A lane whose engine died gets a reward that is not a number and is cut off; ``infos["died"]``
    says which, ``infos["cause"]`` why. Its next episode has a new engine.

    Args:
        game: what is played.
        num_envs: how many environments.
        seeds: one a lane, for the sequence of its episodes; nothing for drawn ones.
        workers: how many processes drive the engines; nothing for one a core.
    """

    metadata = {  # noqa: RUF012 (as Gymnasium has it)
        "render_modes": ["rgb_array"],
        "render_fps": 9,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
        "reset_mask": True,
    }

    def __init__(
        self,
        game: Game,
        num_envs: int,
        seeds: Sequence[int] | None = None,
        workers: int | None = None,
    ) -> None:
        self.game, self.num_envs = game, num_envs
        self.render_mode = "rgb_array" if game.pictures else None
        self.single_observation_space = Box(0, 255, (3, *game.observation), np.uint8)
        self._allowed = frozenset(range(len(ACTIONS)))
        self.single_action_space = Discrete(len(ACTIONS))
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._names = (*game.counted, *(name.lower() for name in PLACE))
        nothing = np.zeros(len(PLACE))
        rewards = game.rewards or {}
        self._worth = np.array([*(rewards.get(kind, 0.0) for kind in game.counted), *nothing])
        over = game.over.things if game.over else ()
        self._ends = np.array([*(kind in over for kind in game.counted), *nothing])
        self._enough = game.over.count if game.over else math.inf
        given: Sequence[int | None] = seeds or [None] * num_envs
        self._rngs = [np.random.default_rng(seed) for seed in given]
        self._steps = np.zeros(num_envs, np.int64)
        self._over = np.ones(num_envs, bool)
        self._variables = np.zeros((num_envs, len(self._names)))
        self._ways: list[list[tuple[float, float]]] = [[] for _ in range(num_envs)]
        self._engines = Engines(game, num_envs, workers)
        self._block = self._engines.block

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """Begin episodes.

        Args:
            seed: one for all lanes, which get it, the next one, ...; or one a lane.
            options: ``reset_mask``, ``(num_envs,)`` bool: the others go on.
        """
        mask = np.asarray((options or {}).get("reset_mask", np.ones(self.num_envs)), bool)
        if mask.shape != (self.num_envs,):
            raise ValueError(f"reset_mask must be ({self.num_envs},), not {mask.shape}")
        seeds: Sequence[int | None]
        seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int) else seed or []
        for lane, value in enumerate(seeds):
            if mask[lane] and value is not None:
                self._rngs[lane] = np.random.default_rng(value)
        for _ in range(2):
            self._block.commands[:] = IDLE
            self._obey(mask)
            mask = mask & (self._block.status == DIED)
            if not mask.any():
                break
        return self._block.observations.copy(), self._infos()

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float64], Mask, Mask, dict[str, Any]]:
        """Hold an action for four engine steps; lanes whose episode is over begin the next one."""
        actions = np.asarray(actions)
        if actions.shape != (self.num_envs,):
            raise ValueError(f"actions must be ({self.num_envs},), not {actions.shape}")
        if not self._allowed.issuperset(actions.tolist()):
            raise ValueError(f"actions must be from 0 to {len(ACTIONS) - 1}, got {actions}")
        begun, before = self._over, self._variables
        self._block.commands[:] = actions
        self._obey(begun)
        went_on = ~begun
        rewards = (self._variables - before) @ self._worth
        rewards += self._block.rewards
        rewards *= went_on
        died = self._block.status == DIED
        ended = self._block.status == FINISHED
        ended |= self._variables @ self._ends >= self._enough
        rewards[died] = np.nan
        self._steps += went_on
        terminated = ended & went_on & ~died
        truncated = (self._steps >= self.game.steps) & went_on & ~terminated | died
        self._over = terminated | truncated
        return self._block.observations.copy(), rewards, terminated, truncated, self._infos()

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """What each engine drew last, with the level from above beside it, ``(h, w, 3)``."""
        if not self.game.pictures:
            return None
        seen = self._block.pictures.transpose(0, 2, 3, 1)
        return tuple(self._beside(picture, lane) for lane, picture in enumerate(seen))

    def _beside(self, picture: NDArray[np.uint8], lane: int) -> NDArray[np.uint8]:
        times = max(1, HEIGHT // picture.shape[0])
        large = picture.repeat(times, 0).repeat(times, 1)
        if not self.game.layouts:
            return large
        layout = self.game.layouts[self._block.maps[lane]]
        above = chart(layout, self._ways[lane], large.shape[0] // len(layout.cells))
        black = np.zeros((large.shape[0], above.shape[1], 3), np.uint8)
        black[: len(above)] = above
        return np.concatenate([large, black], 1)

    def close_extras(self, **kwargs: Any) -> None:
        """End all engines."""
        self._engines.close()

    def _obey(self, begin: Mask) -> None:
        """Begin episodes, have the other lanes do what they were told, and read what is counted."""
        if begin.any():
            for lane in np.flatnonzero(begin):
                self._block.maps[lane] = self._rngs[lane].integers(len(self.game.maps))
                self._block.seeds[lane] = self._rngs[lane].integers(2**31)
                self._ways[lane] = []
            self._block.commands[begin] = BEGIN
            self._steps[begin] = 0
            self._over = self._over & ~begin
        self._engines.obey()
        self._variables = self._block.variables.copy()
        if self.game.pictures:
            where = self._variables[:, [self._names.index(name) for name in WHERE]]
            for way, (x, y) in zip(self._ways, where.tolist(), strict=True):
                way.append((x, y))

    def _infos(self) -> dict[str, Any]:
        """What was counted, the player's position and health, and what went wrong."""
        # Where names are equal, what is counted comes last and stays.
        names, values = self._names[::-1], self._variables.T[::-1]
        infos: dict[str, Any] = dict(zip(names, values, strict=True))
        died = self._block.status == DIED
        if died.any():
            infos["died"] = died
            infos["cause"] = [self._engines.causes.get(lane, "") for lane in range(self.num_envs)]
        return infos


def make_lanes(
    level: str, num_envs: int = 1, render_mode: str | None = None, **options: Any
) -> LabyrinthVectorEnv:
    """What ``gymnasium.make_vec`` calls; options are those of ``catalogue.game``."""
    return LabyrinthVectorEnv(find(level, pictures=render_mode == "rgb_array", **options), num_envs)
