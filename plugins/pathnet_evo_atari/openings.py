"""No-ops at the start of an episode, drawn from its seed and played as actions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


class Openings:
    """How many no-ops each lane has yet to play before its episode begins.

    Args:
        num_envs: number of lanes, K.
        n: the longest opening has one step less.

    Attributes:
        left: ``(K,)`` int64, steps of the opening to come.
    """

    def __init__(self, num_envs: int, n: int) -> None:
        self.left = np.zeros(num_envs, dtype=np.int64)
        self._n = max(n, 1)
        self._generators = [np.random.default_rng() for _ in range(num_envs)]

    @property
    def open(self) -> Mask:
        """``(K,)`` lanes that play a no-op next."""
        return self.left > 0

    def begin(self, lanes: Mask, seeds: Sequence[int | None] | None = None) -> None:
        """Draw the openings of new episodes.

        Args:
            lanes: ``(K,)`` which lanes begin an episode.
            seeds: ``(K,)``; None continues a lane's generator.
        """
        for lane in np.flatnonzero(lanes).tolist():
            seed = None if seeds is None else seeds[lane]
            if seed is not None:
                self._generators[lane] = np.random.default_rng(seed)
            self.left[lane] = self._generators[lane].integers(self._n)

    def step(self) -> None:
        """Count a step of every lane."""
        self.left[self.open] -= 1
