"""Learning-rate schedules over the used share of a stage's budget."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, Field

RISE = 0.3
"""Share of the stage in which ``one-cycle`` raises the rate (Smith and Topin 2018)."""
START = 25
"""``one-cycle`` starts at the rate divided by this."""


class Scheduled(BaseModel):
    """The options of a learner whose learning rate has a schedule."""

    learning_rate: float = Field(0.05, gt=0, allow_inf_nan=False)
    """Peak learning rate."""
    schedule: Literal["constant", "cosine", "linear", "one-cycle"] = "constant"
    """Learning rate over the stage's budget: constant; half a cosine down to 0; linear down to 0;
    or a warm-up over the first 30 %, then half a cosine. Evaluations in flight do not count as
    used: with W workers the rate lags W - 1 evaluations behind, and ends a little above 0."""
    warmup: float = Field(0, ge=0, lt=1)
    """Share of the stage's budget in which the learning rate rises from 0."""

    def rate(self, share: float) -> float:
        """The learning rate after a ``share`` (0 to 1) of the stage's budget."""
        return self.learning_rate * factor(self.schedule, share, self.warmup)


def factor(schedule: str, share: float, warmup: float = 0.0) -> float:
    """The factor on the peak learning rate.

    Args:
        schedule: ``constant``, ``cosine``, ``linear`` or ``one-cycle``.
        share: used share of the stage's budget, 0 to 1.
        warmup: share in which the rate rises linearly.
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
