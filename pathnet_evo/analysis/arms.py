"""The arms of a run as its results show them: the one shown first, and what it is compared with."""

from __future__ import annotations

from pathnet_evo.setup.config import RunConfig

CONTROL = "independent"
"""The arm that speed-up is measured against, and the last control of all others."""


def shown_arm(config: RunConfig) -> str:
    """``pathnet``, else the first arm that freezes, else the first."""
    order = sorted(config.arms, key=lambda arm: (arm.name != "pathnet", not arm.may_freeze))
    return order[0].name


def compared_order(config: RunConfig) -> list[str]:
    """The arms in the order in which each is compared with all that follow, its controls.

    The shown arm is first and ``CONTROL`` last; arms with the run's strategy precede those with a
    strategy of their own.
    """
    shown = shown_arm(config)
    order = sorted(
        config.arms,
        key=lambda arm: (arm.name == CONTROL, arm.name != shown, arm.strategy is not None),
    )
    return [arm.name for arm in order]
