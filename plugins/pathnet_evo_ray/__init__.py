"""Trials and evaluations on a Ray cluster, as a plugin of pathnet-evo."""

from __future__ import annotations

from pathnet_evo import Register, hookimpl


@hookimpl
def register_executors(register: Register) -> None:
    """Add the executor; Ray is imported only when it is used."""
    register("ray", "pathnet_evo_ray.executor:RayExecutor")
