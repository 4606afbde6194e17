"""First-person levels in a labyrinth, as a plugin of pathnet-evo."""

from __future__ import annotations

from pathnet_evo import Register, hookimpl


@hookimpl
def register_tasks(register: Register) -> None:
    """Add the labyrinth; it is imported only when it is asked for."""
    register("labyrinth", "pathnet_evo_labyrinth.task:LabyrinthSettings")
