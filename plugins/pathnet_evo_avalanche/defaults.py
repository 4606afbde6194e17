"""The configuration of ``PathNetStrategy`` where its user says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pathnet_evo import Shape

Section = Mapping[str, Any]

STRATEGY = {"name": "racing"}
TRANSFER = {"connect": "lateral", "initial_modules": "mixed", "grow": 12}
LEARNER = {"name": "sgd", "n_batches": 50, "momentum": 0.9, "schedule": "cosine"}
POOL = {"modules": 24, "width": 4}
FLAT = [{"kind": "linear", "units": 50, "repeat": 2}]
"""As in the preset ``split-mnist``."""
FLAT_LEARNER = {"batch_size": 32, "learning_rate": 0.02}
IMAGES = [
    {"kind": "conv2d", "channels": 8, "kernel": 3, "stride": 2, "padding": 1, "repeat": 3},
    {"kind": "linear", "units": 50},
]
"""As in the preset ``split-cifar10``."""
IMAGES_LEARNER = {"batch_size": 16, "learning_rate": 0.01}


def configuration(given: Mapping[str, Section], shape: Shape) -> dict[str, Any]:
    """The sections that are given, and defaults for what they leave out.

    Args:
        given: ``pool``, ``strategy``, ``learner`` and ``transfer``.
        shape: of one example; three dimensions are channels, height and width.
    """
    images = len(shape) == 3
    learner = LEARNER | (IMAGES_LEARNER if images else FLAT_LEARNER)
    return {
        "pool": {**POOL, "layers": IMAGES if images else FLAT, **given["pool"]},
        "transfer": {**TRANSFER, **given["transfer"]},
        "strategy": _filled(STRATEGY, given["strategy"]),
        "learner": _filled(learner, given["learner"]),
    }


def _filled(defaults: Section, given: Section) -> Section:
    """A plugin's section; the defaults are of one plugin and do not fit others."""
    return (
        {**defaults, **given} if given.get("name", defaults["name"]) == defaults["name"] else given
    )
