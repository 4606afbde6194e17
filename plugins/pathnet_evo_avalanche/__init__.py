"""Rivals: the continual-learning strategies of Avalanche as arms of a run."""

from __future__ import annotations

from pathnet_evo import Register, hookimpl


@hookimpl
def register_policies(register: Register) -> None:
    """Add the policy that hands an arm over to Avalanche; it is imported only when asked for."""
    register("avalanche", "pathnet_evo_avalanche.policy:Avalanche")
