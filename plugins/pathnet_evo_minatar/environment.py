"""MinAtar's games side by side in one process, each from a seed of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from pathnet_evo_minatar.games import MOST_PLANES, SIDE, new

SCALE = 16
"""Pixels of a cell's side in pictures."""
HERTZ = 10
COLOURS = np.array(
    [
        *([20, 22, 30], [86, 180, 233], [230, 159, 0], [90, 96, 110], [0, 158, 115]),
        *([240, 228, 66], [213, 94, 0], [204, 121, 167], [0, 114, 178], [170, 170, 170]),
        [255, 255, 255],
    ],
    dtype=np.uint8,
)
"""Of an empty cell, and of each plane; where several are set, the last one shows."""


class MinAtarLanes(VectorEnv[Any, Any, Any]):
    """Games that are stepped one after another; a lane depends on its seed and actions alone.

    Args:
        game: which one.
        seeds: one a lane, for its first episode.
        planes: colour planes of an observation; those that the game does not have are zero.
        actions: what each action is in the game.
        sticky: probability that the previous action is repeated.
        ramping: whether games get harder with time.
        max_steps: steps after which an episode is truncated.
    """

    def __init__(
        self,
        game: str,
        seeds: Sequence[int],
        planes: int,
        actions: Sequence[int],
        sticky: float,
        ramping: bool,
        max_steps: int,
    ) -> None:
        self.num_envs = len(seeds)
        self._games = [new(game, ramping) for _ in seeds]
        self._seeds: Sequence[int] | None = list(seeds)
        self._actions, self._sticky, self._max_steps = list(actions), sticky, max_steps
        self._planes = slice(int(self._games[0].state_shape()[2]))
        self._seen = np.zeros((self.num_envs, planes, SIDE, SIDE), dtype=np.uint8)
        self._last, self._steps = [0] * self.num_envs, [0] * self.num_envs
        self._over = [False] * self.num_envs
        self.single_observation_space = Box(0, 1, (planes, SIDE, SIDE), np.uint8)
        self.single_action_space = Discrete(len(actions))
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.render_mode = "rgb_array"
        self.metadata = {
            "autoreset_mode": AutoresetMode.NEXT_STEP,
            "reset_mask": True,
            "render_modes": ["rgb_array"],
            "render_fps": HERTZ,
        }

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | npt.NDArray[np.int64] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[npt.NDArray[np.uint8], dict[str, Any]]:
        """Begin new episodes in the lanes of ``reset_mask``, each from its seed.

        Args:
            seed: one a lane; a number stands for itself and those that follow. None continues each
                lane's generator, or at first takes the seeds that the lanes were made with.
            options: ``reset_mask``, ``(num_envs,)`` booleans; the other lanes stay as they are.
        """
        if seed is None:
            seed = self._seeds
        elif isinstance(seed, int):
            seed = range(seed, seed + self.num_envs)
        self._seeds = None
        mask = (options or {}).get("reset_mask", np.ones(self.num_envs, dtype=bool))
        for lane in np.flatnonzero(mask).tolist():
            self._begin(lane, None if seed is None else seed[lane])
        return self._seen.copy(), {}

    def _begin(self, lane: int, seed: int | None) -> None:
        game = self._games[lane]
        if seed is not None:
            game.random = np.random.RandomState(int(seed) % 2**32)
        game.reset()
        self._last[lane], self._steps[lane], self._over[lane] = 0, 0, False
        self._observe(lane)

    def step(
        self, actions: npt.NDArray[np.int64]
    ) -> tuple[
        npt.NDArray[np.uint8],
        npt.NDArray[np.float64],
        npt.NDArray[np.bool_],
        npt.NDArray[np.bool_],
        dict[str, Any],
    ]:
        """Take one action in each lane; a lane that has ended begins again instead."""
        rewards = np.zeros(self.num_envs)
        ended, cut = np.zeros((2, self.num_envs), dtype=bool)
        for lane, action in enumerate(actions.tolist()):
            if self._over[lane]:
                self._begin(lane, None)
                continue
            game = self._games[lane]
            chosen = self._actions[action]
            if game.random.rand() < self._sticky:
                chosen = self._last[lane]
            self._last[lane] = chosen
            rewards[lane], ended[lane] = game.act(chosen)
            self._steps[lane] += 1
            cut[lane] = self._steps[lane] >= self._max_steps and not ended[lane]
            self._over[lane] = bool(ended[lane] or cut[lane])
            self._observe(lane)
        return self._seen.copy(), rewards, ended, cut, {}

    def _observe(self, lane: int) -> None:
        self._seen[lane, self._planes] = self._games[lane].state().transpose(2, 0, 1)

    def render(self) -> tuple[npt.NDArray[np.uint8], ...]:
        """A picture of each lane, ``(height, width, 3)``, with a colour for each plane."""
        numbers = np.arange(1, self._seen.shape[1] + 1, dtype=np.uint8)
        shown = (self._seen * numbers[:, None, None]).max(1) % (MOST_PLANES + 1)
        return tuple(COLOURS[shown].repeat(SCALE, 1).repeat(SCALE, 2))
