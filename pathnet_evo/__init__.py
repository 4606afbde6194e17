"""PathNet (Fernando et al. 2017) as a plugin-based evolutionary framework."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathnet_evo.genotype import Genotype, Path, PathError, PathShape, distinct
    from pathnet_evo.head import TaskHead
    from pathnet_evo.hookspecs import hookimpl
    from pathnet_evo.learners import Candidate, Evaluation, Evaluator, Learner, LearningContext
    from pathnet_evo.modules import ModuleKind, ShapeError
    from pathnet_evo.network import PathNetwork
    from pathnet_evo.policies.base import TransferPolicy
    from pathnet_evo.pool import Lease, ModulePool
    from pathnet_evo.run.reading import Run, RunFailed, load_run
    from pathnet_evo.run.runner import launch, resume
    from pathnet_evo.strategies.base import Strategy, StrategySettings
    from pathnet_evo.streams import Streams
    from pathnet_evo.tasks import (
        EnvironmentTask,
        SupervisedTask,
        TaskContext,
        TaskError,
        TaskSettings,
    )

_HOMES = {
    "genotype": ("Genotype", "Path", "PathError", "PathShape", "distinct"),
    "hookspecs": ("hookimpl",),
    "learners": ("Candidate", "Evaluation", "Evaluator", "Learner", "LearningContext"),
    "modules": ("ModuleKind", "ShapeError"),
    "network": ("PathNetwork",),
    "head": ("TaskHead",),
    "policies.base": ("TransferPolicy",),
    "pool": ("Lease", "ModulePool"),
    "run.reading": ("Run", "RunFailed", "load_run"),
    "run.runner": ("launch", "resume"),
    "strategies.base": ("Strategy", "StrategySettings"),
    "streams": ("Streams",),
    "tasks": ("EnvironmentTask", "SupervisedTask", "TaskContext", "TaskError", "TaskSettings"),
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
