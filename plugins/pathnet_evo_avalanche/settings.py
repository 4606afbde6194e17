"""The options of rivals."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pathnet_evo import TransferPolicy


class RivalSettings(TransferPolicy):
    """Which of Avalanche's strategies learns an arm, and its options."""

    method: Literal["ewc", "lwf", "replay", "packnet", "progressive", "joint"] = "ewc"
    """``ewc``: elastic weight consolidation (Kirkpatrick et al. 2017). ``lwf``: learning without
    forgetting (Li and Hoiem 2016). ``replay``: experience replay. ``packnet``: iterative pruning
    (Mallya and Lazebnik 2018). ``progressive``: progressive networks (Rusu et al. 2016), linear
    layers only. ``joint``: all tasks so far at once, an upper bound (``Cumulative``)."""
    ewc_lambda: float = Field(100.0, ge=0, allow_inf_nan=False)
    """Weight of EWC's penalty; tune it. Too large for the learning rate, and the loss diverges."""
    lwf_alpha: float = Field(1.0, ge=0, allow_inf_nan=False)
    """Weight of the distillation of ``lwf``."""
    temperature: float = Field(2.0, gt=0, allow_inf_nan=False)
    """Temperature of the distillation of ``lwf``."""
    memory: int = Field(1000, ge=1)
    """Training examples of all tasks together that ``replay`` keeps. Half of each minibatch comes
    from them, however few they are."""
    prune: float | None = Field(None, gt=0, lt=1)
    """Share of the free weights that ``packnet`` prunes after each task. Default: equal shares for
    all tasks."""
    post_prune: float = Field(1 / 3, gt=0, lt=1)
    """Share of a stage's budget that ``packnet`` trains after pruning."""
