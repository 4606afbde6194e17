"""Trials and evaluations on a Ray cluster, as a plugin of pathnet-evo."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pathnet_evo import Register, hookimpl


@hookimpl
def register_executors(register: Register) -> None:
    """Add the executor; Ray is imported only when it is used."""
    register("ray", "pathnet_evo_ray.executor:RayExecutor")


@hookimpl
def register_engines(register: Register) -> None:
    """Add the engine."""
    register("ray", "pathnet_evo_ray.engine:RayEngine")


def map(function: Callable[..., Any], *iterables: Iterable[Any], **options: Any) -> list[Any]:  # noqa: A001
    """Call a function with each item, on workers of a cluster; for DEAP's toolboxes.

    See ``pathnet_evo_ray.mapping.map``; importing this module does not import Ray.
    """
    from pathnet_evo_ray import mapping

    return mapping.map(function, *iterables, **options)
