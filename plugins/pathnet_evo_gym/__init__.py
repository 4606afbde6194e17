"""Gymnasium's environments, as a plugin of pathnet-evo."""

from __future__ import annotations

from pathnet_evo import Register, hookimpl


@hookimpl
def register_tasks(register: Register) -> None:
    """Add the task, which is imported only when it is asked for."""
    register("gym", "pathnet_evo_gym.task:GymSettings")
