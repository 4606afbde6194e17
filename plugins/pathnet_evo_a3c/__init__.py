"""Advantage actor-critic on many paths at once, as a plugin of pathnet-evo."""

from __future__ import annotations

from pathnet_evo import Register, hookimpl


@hookimpl
def register_learners(register: Register) -> None:
    """The learners ``a3c`` and ``ppo``."""
    register("a3c", "pathnet_evo_a3c.learner:A3C")
    register("ppo", "pathnet_evo_a3c.ppo:PPO")
