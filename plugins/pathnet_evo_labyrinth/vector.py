"""Lanes of a labyrinth, stepped together, as a vector environment of Gymnasium."""

from __future__ import annotations

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
HEIGHT = 480
"""Pixels of a rendered picture, at the least a whole multiple of the engine's."""


class LabyrinthVectorEnv(VectorEnv[Any, Any, Any]):
    """First-person levels; every lane has an engine of its own.

    A lane whose engine died gets a reward that is not a number and is cut off; ``infos["died"]``
    says which, ``infos["cause"]`` why. Its next episode has a new engine.

    Args:
        game: what is played.
        lanes: how many environments.
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
        lanes: int,
        seeds: Sequence[int] | None = None,
        workers: int | None = None,
    ) -> None:
        self.game, self.num_envs = game, lanes
        self.render_mode = "rgb_array" if game.pictures else None
        self.single_observation_space = Box(0, 255, (3, *game.observation), np.uint8)
        self.single_action_space = Discrete(len(ACTIONS))
        self.observation_space = batch_space(self.single_observation_space, lanes)
        self.action_space = batch_space(self.single_action_space, lanes)
        rewards = game.rewards or {}
        self._worth = np.array([rewards.get(kind, 0.0) for kind in game.counted])
        over = game.over.things if game.over else ()
        self._ends = np.array([float(kind in over) for kind in game.counted])
        given: Sequence[int | None] = seeds or [None] * lanes
        self._rngs = [np.random.default_rng(seed) for seed in given]
        self._steps = np.zeros(lanes, np.int64)
        self._score = np.zeros(lanes)
        self._over = np.ones(lanes, bool)
        self._counts = np.zeros((lanes, len(game.counted)))
        self._maps = np.zeros(lanes, np.int32)
        self._ways: list[list[tuple[float, float]]] = [[] for _ in range(lanes)]
        self._engines = Engines(game, lanes, workers)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """Begin episodes.

        Args:
            seed: one for all lanes, which get it, the next one, ...; or one a lane.
            options: ``reset_mask``, ``(lanes,)`` bool: the others go on.
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
            self._obey(np.full(self.num_envs, IDLE, np.int32), mask)
            mask = mask & (self._engines.status == DIED)
            if not mask.any():
                break
        return self._engines.observations(), self._infos()

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float64], Mask, Mask, dict[str, Any]]:
        """Hold an action for four engine steps; lanes whose episode is over begin the next one."""
        actions = np.asarray(actions)
        if actions.shape != (self.num_envs,):
            raise ValueError(f"actions must be ({self.num_envs},), not {actions.shape}")
        if actions.min() < 0 or actions.max() >= len(ACTIONS):
            raise ValueError(f"actions must be from 0 to {len(ACTIONS) - 1}, got {actions}")
        begun = self._over
        before = self._counts
        self._obey(actions.astype(np.int32), begun)
        gained = (self._counts - before) @ self._worth if self.game.counted else 0.0
        rewards = np.where(begun, 0.0, self._engines.rewards() + gained)
        self._steps += ~begun
        died = self._engines.status == DIED
        ended = self._engines.status == FINISHED
        if self.game.over is not None:
            ended |= self._counts @ self._ends >= self.game.over.count
        terminated = ~begun & ~died & ended
        truncated = ~terminated & ((~begun & (self._steps >= self.game.steps)) | died)
        rewards[died] = np.nan
        self._over = terminated | truncated
        return self._engines.observations(), rewards, terminated, truncated, self._infos()

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """What each engine drew last, with the level from above beside it, ``(h, w, 3)``."""
        if not self.game.pictures:
            return None
        seen = self._engines.pictures().transpose(0, 2, 3, 1)
        return tuple(self._beside(picture, lane) for lane, picture in enumerate(seen))

    def _beside(self, picture: NDArray[np.uint8], lane: int) -> NDArray[np.uint8]:
        times = max(1, HEIGHT // picture.shape[0])
        large = picture.repeat(times, 0).repeat(times, 1)
        if not self.game.layouts:
            return large
        layout = self.game.layouts[self._maps[lane]]
        above = chart(layout, self._ways[lane], large.shape[0] // len(layout.cells))
        black = np.zeros((large.shape[0], above.shape[1], 3), np.uint8)
        black[: len(above)] = above
        return np.concatenate([large, black], 1)

    def close_extras(self, **kwargs: Any) -> None:
        """End all engines."""
        self._engines.close()

    def _obey(self, commands: NDArray[np.int32], begin: Mask) -> None:
        """Act, or begin an episode; and read what is counted."""
        if begin.any():
            seeds = np.zeros(self.num_envs, np.int64)
            for lane in np.flatnonzero(begin):
                self._maps[lane] = self._rngs[lane].integers(len(self.game.maps))
                seeds[lane] = self._rngs[lane].integers(2**31)
                self._ways[lane] = []
            self._steps[begin] = 0
            self._over = self._over & ~begin
            commands = np.where(begin, np.int32(BEGIN), commands)
            self._engines.obey(commands, seeds, self._maps)
        else:
            self._engines.obey(commands)
        self._variables = self._engines.variables()
        self._counts = self._variables[:, : len(self.game.counted)]
        if self.game.pictures:
            x, y = (self._variables[:, len(self.game.counted) + i].tolist() for i in (0, 1))
            for way, place in zip(self._ways, zip(x, y, strict=True), strict=True):
                way.append(place)

    def _infos(self) -> dict[str, Any]:
        """The player's position and health, what was counted, and what went wrong."""
        variables = self._variables
        place = {
            name.lower(): variables[:, len(self.game.counted) + i] for i, name in enumerate(PLACE)
        }
        counts = {kind: self._counts[:, i] for i, kind in enumerate(self.game.counted)}
        infos: dict[str, Any] = {**place, **counts}
        died = self._engines.status == DIED
        if died.any():
            infos["died"] = died
            infos["cause"] = [self._engines.causes.get(lane, "") for lane in range(self.num_envs)]
        return infos


def make_lanes(
    level: str, num_envs: int = 1, render_mode: str | None = None, **options: Any
) -> LabyrinthVectorEnv:
    """What ``gymnasium.make_vec`` calls; options are those of ``catalogue.game``."""
    return LabyrinthVectorEnv(find(level, pictures=render_mode == "rgb_array", **options), num_envs)
