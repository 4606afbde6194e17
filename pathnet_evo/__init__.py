"""PathNet (Fernando et al. 2017) as a plugin-based evolutionary framework."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathnet_evo.core.genotype import Genotype, Path, PathError, PathShape, distinct
    from pathnet_evo.core.head import TaskHead
    from pathnet_evo.core.modules import ModuleKind, ShapeError
    from pathnet_evo.core.network import PathNetwork
    from pathnet_evo.core.pool import Lease, ModulePool
    from pathnet_evo.core.streams import Streams
    from pathnet_evo.interfaces.learners import (
        Candidate,
        Evaluation,
        Evaluator,
        Learner,
        LearningContext,
    )
    from pathnet_evo.interfaces.policies import TransferPolicy
    from pathnet_evo.interfaces.strategies import Strategy
    from pathnet_evo.interfaces.strategy_settings import StrategySettings
    from pathnet_evo.interfaces.tasks import (
        EnvironmentTask,
        SupervisedTask,
        TaskContext,
        TaskError,
        TaskSettings,
    )
    from pathnet_evo.plugins.hookspecs import hookimpl
    from pathnet_evo.running.loading import Run, RunFailed, load_run
    from pathnet_evo.running.runner import launch, resume

_HOMES = {
    "core.genotype": ("Genotype", "Path", "PathError", "PathShape", "distinct"),
    "plugins.hookspecs": ("hookimpl",),
    "interfaces.learners": ("Candidate", "Evaluation", "Evaluator", "Learner", "LearningContext"),
    "core.modules": ("ModuleKind", "ShapeError"),
    "core.network": ("PathNetwork",),
    "core.head": ("TaskHead",),
    "interfaces.policies": ("TransferPolicy",),
    "core.pool": ("Lease", "ModulePool"),
    "running.loading": ("Run", "RunFailed", "load_run"),
    "running.runner": ("launch", "resume"),
    "interfaces.strategies": ("Strategy",),
    "interfaces.strategy_settings": ("StrategySettings",),
    "core.streams": ("Streams",),
    "interfaces.tasks": (
        "EnvironmentTask",
        "SupervisedTask",
        "TaskContext",
        "TaskError",
        "TaskSettings",
    ),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Candidate",
    "EnvironmentTask",
    "Evaluation",
    "Evaluator",
    "Genotype",
    "Learner",
    "LearningContext",
    "Lease",
    "ModuleKind",
    "ModulePool",
    "Path",
    "PathError",
    "PathNetwork",
    "PathShape",
    "Run",
    "RunFailed",
    "ShapeError",
    "Strategy",
    "StrategySettings",
    "Streams",
    "SupervisedTask",
    "TaskContext",
    "TaskError",
    "TaskHead",
    "TaskSettings",
    "TransferPolicy",
    "distinct",
    "hookimpl",
    "launch",
    "load_run",
    "resume",
]


def __getattr__(name: str) -> Any:
    """Import public names when they are asked for: ``pathnet-evo --help`` needs no torch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
