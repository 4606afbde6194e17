"""Learning rates that change over a stage, by the share of its budget that is used."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, Field

RISE = 0.3
"""Share of the stage in which the rate rises, of ``one-cycle`` (Smith and Topin 2018)."""
START = 25
"""The rate is divided by it where ``one-cycle`` begins."""


class Scheduled(BaseModel):
    """The options of a learner whose learning rate has a schedule."""

    learning_rate: float = Field(0.05, gt=0, allow_inf_nan=False)
    """Step size, where the schedule has it largest."""
    schedule: Literal["constant", "cosine", "linear", "one-cycle"] = "constant"
    """How the step size falls over the stage's budget: not at all; along half a cosine to nothing;
    in a line to nothing; or, after a rise over the first 30 %, along half a cosine."""
    warmup: float = Field(0, ge=0, lt=1)
    """Share of the stage's budget in which the step size rises from nothing."""

    def rate(self, share: float) -> float:
        """The learning rate when ``share`` (0 to 1) of the stage's budget is used."""
        return self.learning_rate * factor(self.schedule, share, self.warmup)


def factor(schedule: str, share: float, warmup: float = 0.0) -> float:
    """What the largest learning rate is multiplied with.

    Args:
        schedule: ``constant``, ``cosine``, ``linear`` or ``one-cycle``.
        share: of the stage's budget, that is used, 0 to 1.
        warmup: share in which the rate rises in a line.
    """
    rising = share / warmup if share < warmup else 1.0
    match schedule:
        case "cosine":
            return rising * _cosine(share)
        case "linear":
            return rising * max(1 - share, 0)
        case "one-cycle" if share < RISE:
            return rising * (1 - (1 - 1 / START) * _cosine(share / RISE))
        case "one-cycle":
            return rising * _cosine((share - RISE) / (1 - RISE))
        case _:
            return rising


def _cosine(share: float) -> float:
    return (1 + math.cos(math.pi * min(share, 1.0))) / 2
