"""What a policy's actions are in an environment: an integer from 0, or a vector of numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt


class Actions(ABC):
    """Turns a policy's actions into the environment's.

    Attributes:
        n: number of actions, or of entries of a vector.
        space: what the policy gives.
        continuous: whether that is a vector.
    """

    n: int
    space: gymnasium.Space[Any]
    continuous: bool

    @abstractmethod
    def own(self, action: Any) -> Any:
        """The environment's action."""


@dataclass(frozen=True)
class Numbered(Actions):
    """Integers, which the environment counts from ``first``."""

    n: int
    first: int = 0
    continuous: bool = False

    @property
    def space(self) -> gymnasium.Space[Any]:  # type: ignore[override]
        """Integers from 0."""
        return gymnasium.spaces.Discrete(self.n)

    def own(self, action: Any) -> Any:
        """The same, counted from ``first``."""
        return action + self.first if self.first else action


@dataclass(frozen=True)
class Vectors(Actions):
    """Vectors; where the environment's bounds are finite, -1 and 1 stand for them.

    What is outside the bounds is cut off.

    Args:
        low: n lower bounds.
        high: n upper bounds.
        shape: that the environment takes.
        dtype: that the environment takes.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    continuous: bool = True

    @classmethod
    def of(cls, space: gymnasium.spaces.Box) -> Vectors:
        """Those of a space.

        Raises:
            ValueError: it is empty, or holds integers or empty ranges.
        """
        dtype = np.dtype(space.dtype)
        low, high = (np.asarray(x, dtype=np.float64).ravel() for x in (space.low, space.high))
        if dtype.kind != "f" or not low.size or not (low < high).all():
            raise ValueError("it must hold real numbers, each within a range")
        return cls(tuple(low.tolist()), tuple(high.tolist()), tuple(space.shape), dtype)

    @property
    def n(self) -> int:  # type: ignore[override]
        """Entries of a vector."""
        return len(self.low)

    @property
    def space(self) -> gymnasium.Space[Any]:  # type: ignore[override]
        """Any numbers."""
        return gymnasium.spaces.Box(-np.inf, np.inf, (self.n,), np.float32)

    def own(self, action: Any) -> npt.NDArray[Any]:
        """Scaled to the bounds that are finite, cut off at all, in the environment's shape.

        Raises:
            ValueError: it is not finite.
        """
        given = np.asarray(action, dtype=np.float64)
        if not np.isfinite(given).all():
            raise ValueError(f"an action is not finite: {given.tolist()}")
        low, high = self._scale
        kept = np.clip(low + (given + 1) / 2 * (high - low), self.low, self.high)
        return kept.astype(self.dtype).reshape(self.shape)

    @cached_property
    def _scale(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """What -1 and 1 stand for."""
        low, high = np.array(self.low), np.array(self.high)
        bounded = np.isfinite(low) & np.isfinite(high)
        return np.where(bounded, low, -1.0), np.where(bounded, high, 1.0)


def actions_of(space: gymnasium.Space[Any]) -> Actions:
    """How a policy acts in a space.

    Raises:
        ValueError: it cannot.
    """
    if isinstance(space, gymnasium.spaces.Discrete):
        return Numbered(int(space.n), int(space.start))
    if isinstance(space, gymnasium.spaces.Box):
        return Vectors.of(space)
    raise ValueError("only Discrete and Box are supported")
