"""Supervised learning by stochastic gradient descent, as a plugin of pathnet-evo."""

from __future__ import annotations

from pathnet_evo import Register, hookimpl


@hookimpl
def register_learners(register: Register) -> None:
    """The learner ``sgd``."""
    register("sgd", "pathnet_evo_sgd.learner:SGD")
