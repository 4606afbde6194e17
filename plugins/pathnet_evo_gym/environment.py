"""Gymnasium's environments side by side in one process, adapted to what a pool takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.vector import SyncVectorEnv

from pathnet_evo.modules import Shape


@dataclass(frozen=True)
class Adapt:
    """What is done to an environment's observations and actions.

    Args:
        moved: whether the last axis becomes the first, ``(H, W, C)`` to ``(C, H, W)``.
        padded: the shape that zeros behind each axis fill them up to, or None.
    """

    moved: bool = False
    padded: Shape | None = None

    def shape(self, given: tuple[int, ...]) -> Shape:
        """The shape of an observation, before it is padded."""
        return (given[-1], *given[:-1]) if self.moved else tuple(given)

    def observation(self, given: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """One observation: float32, or uint8 where it was."""
        x = np.asarray(given)
        x = x if x.dtype == np.uint8 else x.astype(np.float32)
        x = np.moveaxis(x, -1, 0) if self.moved else x
        if self.padded is None:
            return x
        return np.pad(x, [(0, w - s) for s, w in zip(x.shape, self.padded, strict=True)])

    def wrap(self, env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
        """An environment with such observations, and with actions from 0."""
        space, actions = env.observation_space, env.action_space
        assert isinstance(space, gymnasium.spaces.Box)
        assert isinstance(actions, gymnasium.spaces.Discrete)
        wanted = gymnasium.spaces.Box(
            self.observation(space.low),
            self.observation(space.high),
            dtype=np.uint8 if space.dtype == np.uint8 else np.float32,
        )
        env = gymnasium.wrappers.TransformObservation(env, self.observation, wanted)
        first = int(actions.start)
        if first == 0:
            return env
        return gymnasium.wrappers.TransformAction(
            env, lambda action: action + first, gymnasium.spaces.Discrete(actions.n)
        )


class GymLanes(SyncVectorEnv[Any, Any]):
    """Environments that are stepped one after another, with a seed for each.

    Args:
        makers: one a lane.
        seeds: one a lane, for its first episode.
    """

    def __init__(
        self, makers: Sequence[Callable[[], gymnasium.Env[Any, Any]]], seeds: Sequence[int]
    ) -> None:
        super().__init__(makers)
        self._seeds: Sequence[int | None] | None = list(seeds)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | npt.NDArray[np.int64] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Begin new episodes in the lanes of ``reset_mask``, each with its seed.

        Args:
            seed: one a lane; a number stands for itself and those that follow. Nothing is, the
                first time, the seeds that the lanes were made with.
            options: ``reset_mask``, ``(lanes,)`` booleans; the other lanes stay where they are.
        """
        if seed is None:
            seed = self._seeds
        self._seeds = None
        if seed is not None and not isinstance(seed, int):
            seed = [None if s is None else int(s) for s in seed]
        return super().reset(seed=seed, options=dict(options) if options else None)
