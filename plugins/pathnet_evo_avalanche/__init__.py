"""Avalanche: its strategies as rivals in a run, and PathNet as one of its strategies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pathnet_evo import Register, hookimpl

if TYPE_CHECKING:
    from pathnet_evo_avalanche.pathnet import PathNetStrategy as PathNetStrategy


@hookimpl
def register_policies(register: Register) -> None:
    """Add the policy that hands an arm over to Avalanche; it is imported only when asked for."""
    register("avalanche", "pathnet_evo_avalanche.policy:Avalanche")


def __getattr__(name: str) -> Any:
    """Import the strategy when it is asked for: Avalanche takes seconds."""
    if name != "PathNetStrategy":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pathnet_evo_avalanche.pathnet import PathNetStrategy

    return PathNetStrategy
