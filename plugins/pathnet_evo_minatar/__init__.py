"""MinAtar's games, as a plugin of pathnet-evo."""

from __future__ import annotations

from pathnet_evo import Register, hookimpl


@hookimpl
def register_tasks(register: Register) -> None:
    """Add the task, which is imported only when it is asked for."""
    register("minatar", "pathnet_evo_minatar.task:MinAtarSettings")
