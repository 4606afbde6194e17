"""Contract kits: tests that plugin authors subclass, which say what a contract wants."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathnet_evo.testing.engines import EngineContract
    from pathnet_evo.testing.executors import ExecutorContract
    from pathnet_evo.testing.learners import LearnerContract
    from pathnet_evo.testing.module_kinds import ModuleContract
    from pathnet_evo.testing.observers import ObserverContract
    from pathnet_evo.testing.policies import PolicyContract
    from pathnet_evo.testing.strategies import StrategyContract
    from pathnet_evo.testing.tasks import TaskContract

_HOME = {
    "EngineContract": "engines",
    "ExecutorContract": "executors",
    "LearnerContract": "learners",
    "ModuleContract": "module_kinds",
    "ObserverContract": "observers",
    "PolicyContract": "policies",
    "StrategyContract": "strategies",
    "TaskContract": "tasks",
}

__all__ = [
    "EngineContract",
    "ExecutorContract",
    "LearnerContract",
    "ModuleContract",
    "ObserverContract",
    "PolicyContract",
    "StrategyContract",
    "TaskContract",
]


def __getattr__(name: str) -> Any:
    """Import a kit when it is asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
