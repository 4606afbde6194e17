"""Gymnasium's environments side by side in one process, adapted to what a pool takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.vector import SyncVectorEnv

from pathnet_evo import Shape
from pathnet_evo_gym.actions import Actions

FLOATS = np.dtype(np.float32)
"""The one of its kind: other byte orders are others."""
NUMBERS = "biuf"
"""Kinds of arrays that hold real numbers."""


@dataclass(frozen=True)
class Adapt:
    """What is done to an environment's observations.

    Args:
        given: the shape that the environment's space says.
        bytes_: whether observations are uint8; all others become float32.
        moved: whether the last axis becomes the first, ``(H, W, C)`` to ``(C, H, W)``.
        padded: the shape that zeros behind each axis fill them up to, or None.
    """

    given: Shape
    bytes_: bool = False
    moved: bool = False
    padded: Shape | None = None

    @property
    def shape(self) -> Shape:
        """The shape of an observation, before it is padded; one number is a vector of one."""
        if not self.given:
            return (1,)
        return (self.given[-1], *self.given[:-1]) if self.moved else self.given

    @property
    def space(self) -> gymnasium.spaces.Box:
        """The space of what ``observation`` gives."""
        shape = self.shape if self.padded is None else self.padded
        if self.bytes_:
            return gymnasium.spaces.Box(0, 255, shape, np.uint8)
        return gymnasium.spaces.Box(-np.inf, np.inf, shape, np.float32)

    def observation(self, given: Any) -> npt.NDArray[Any]:
        """One observation, as float32 or uint8.

        Raises:
            ValueError: it is not what the space says, or not finite.
        """
        x = np.asarray(given)
        if x.dtype.kind not in NUMBERS:
            raise ValueError(f"an observation holds no numbers but {x.dtype}")
        if x.shape != self.given:
            raise ValueError(f"an observation is {x.shape}, but its space says {self.given}")
        x = _as_bytes(x) if self.bytes_ else _as_floats(x)
        x = np.moveaxis(x, -1, 0) if self.moved else x.reshape(self.shape)
        if self.padded is None:
            return x
        return np.pad(x, [(0, w - s) for s, w in zip(x.shape, self.padded, strict=True)])


class Adapted(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment with observations as ``Adapt`` makes them, and a policy's actions.

    It takes nothing for what it is not: a step that does not give one reward, say, raises.

    Args:
        env: one that observes a Box.
        adapt: what is done to its observations.
        actions: what a policy's actions are in it.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], adapt: Adapt, actions: Actions) -> None:
        super().__init__(env)
        self._adapt, self._own = adapt, actions.own
        self.observation_space = adapt.space
        self.action_space = actions.space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[npt.NDArray[Any], dict[str, Any]]:
        """The first observation; what else the environment tells is left out.

        Raises:
            TypeError, ValueError: it gave something else than its space and Gymnasium say.
        """
        given = self.env.reset(seed=seed, options=options)
        if not (isinstance(given, tuple) and len(given) == 2):
            raise TypeError("reset() must give an observation and an info")
        return self._adapt.observation(given[0]), {}

    def step(self, action: Any) -> tuple[npt.NDArray[Any], float, bool, bool, dict[str, Any]]:
        """One step; what else the environment tells is left out.

        Raises:
            TypeError, ValueError: it gave something else than its space and Gymnasium say.
        """
        observation, reward, terminated, truncated, _ = self.env.step(self._own(action))
        return (
            self._adapt.observation(observation),
            _one_number("the reward", reward),
            _yes_or_no("terminated", terminated),
            _yes_or_no("truncated", truncated),
            {},
        )


def _as_floats(x: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    floats = x if x.dtype is FLOATS else _narrowed(x)
    if not np.isfinite(floats).all():
        raise ValueError(f"an observation is not finite: {x[~np.isfinite(floats)].flat[0]}")
    return floats


def _narrowed(x: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return x.astype(np.float32)


def _as_bytes(x: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if x.dtype == np.uint8:
        return x
    with np.errstate(invalid="ignore"):
        small = x.astype(np.uint8)
    if not np.array_equal(small, x):
        raise ValueError(
            f"an observation holds {x[small != x].flat[0]}, but its space says bytes, 0 to 255"
        )
    return small


def _one_number(what: str, given: Any) -> float:
    """A number, or what holds just one."""
    if isinstance(given, float | np.floating | np.integer):
        return float(given)
    x = np.asarray(given)  # whole numbers of more than 64 bits become objects
    if x.dtype.kind not in NUMBERS or x.size != 1:
        found = f"an array of shape {x.shape}" if x.shape else repr(given)[:60]
        raise TypeError(f"{what} is not one number but {found}")
    return float(x.item())


def _yes_or_no(what: str, given: Any) -> bool:
    if isinstance(given, bool | np.bool_):
        return bool(given)
    if (number := _one_number(what, given)) not in (0, 1):
        raise ValueError(f"{what} is neither true nor false but {number:g}")
    return bool(number)


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
