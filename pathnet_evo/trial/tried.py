"""Earlier networks, played on a new task before it is learned: is one of them a beginning?

What an earlier task taught a policy can be most of the new task, or be in its way: in the
labyrinth, a level of apples after another one was learned faster from the earlier policy, a level
of opponents more slowly than from scratch. How it plays the new task tells the two apart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, variance

CLEARLY = 2.0
"""Standard errors by which a network must beat random actions."""


@dataclass(frozen=True)
class Tried:
    """Returns on the new task, of episodes that nothing was learned from.

    Args:
        random: of random actions.
        stages: of each earlier stage's network.
    """

    random: Sequence[float]
    stages: Mapping[int, Sequence[float]]

    @property
    def best(self) -> int | None:
        """The stage whose network has the highest mean, if that clearly beats random actions."""
        clear = [stage for stage in self.stages if self._lead(stage) > 0]
        return max(clear, key=lambda stage: (fmean(self.stages[stage]), stage), default=None)

    def _lead(self, stage: int) -> float:
        """How far a network's mean lies above that of random actions and the error of both."""
        found = self.stages[stage]
        error = math.sqrt(_error(found) + _error(self.random))
        return fmean(found) - fmean(self.random) - CLEARLY * error

    def state(self) -> dict[str, object]:
        """Means, as plain data."""
        stages = {str(stage): fmean(found) for stage, found in self.stages.items()}
        return {"episodes": len(self.random), "random": fmean(self.random), "stages": stages}


def _error(returns: Sequence[float]) -> float:
    """The squared standard error of a mean; that of a single return is unknown, and infinite."""
    return variance(returns) / len(returns) if len(returns) > 1 else math.inf
