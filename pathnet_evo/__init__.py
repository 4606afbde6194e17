"""PathNet (Fernando et al. 2017) as a plugin-based evolutionary framework.

What is named here is public: plugins, those that come along too, import nothing else of it but
``pathnet_evo.testing``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathnet_evo.analysis.comparison import compare_runs
    from pathnet_evo.core.aggregate import SUM, Aggregate
    from pathnet_evo.core.genotype import (
        Genotype,
        Path,
        PathError,
        PathShape,
        Rows,
        distinct,
        join,
        overlap,
    )
    from pathnet_evo.core.head import Heard, TaskHead
    from pathnet_evo.core.lanes.lanes import Lanes
    from pathnet_evo.core.lanes.layer import lane_totals
    from pathnet_evo.core.lanes.widened import split_widened
    from pathnet_evo.core.modules import ModuleKind, Shape, ShapeError
    from pathnet_evo.core.network import PathNetwork
    from pathnet_evo.core.pool import Lease, ModulePool
    from pathnet_evo.core.stack import LeasedStack, Stack
    from pathnet_evo.core.streams import Streams, lend
    from pathnet_evo.engines.worker_engine import WorkerEngine
    from pathnet_evo.errors import UserError, UserNotice
    from pathnet_evo.executors.remote import RemoteTrials
    from pathnet_evo.executors.worker_executor import WorkerExecutor
    from pathnet_evo.interfaces import fingerprint, memory
    from pathnet_evo.interfaces.budget import Budget
    from pathnet_evo.interfaces.encoders import Encoder
    from pathnet_evo.interfaces.engines import Engine
    from pathnet_evo.interfaces.evaluations import (
        Candidate,
        Episode,
        Evaluation,
        Evaluator,
        StageFailed,
    )
    from pathnet_evo.interfaces.executors import Executor, ExecutorError, Job, RunSetting, Trials
    from pathnet_evo.interfaces.learners import Learner, LearningContext
    from pathnet_evo.interfaces.learning_rate import Scheduled
    from pathnet_evo.interfaces.observers import Observer
    from pathnet_evo.interfaces.policies import (
        Beginning,
        Connect,
        Grown,
        InitialModules,
        Start,
        TransferPolicy,
        redraw,
    )
    from pathnet_evo.interfaces.population import Front, Replacement, StrategyError
    from pathnet_evo.interfaces.records import (
        Evaluated,
        GenerationFinished,
        Record,
        StageFinished,
        StageStarted,
        TrialFinished,
        TrialStarted,
    )
    from pathnet_evo.interfaces.rivals import Course, MinibatchLearner, Rival
    from pathnet_evo.interfaces.run_info import RunInfo, Trial
    from pathnet_evo.interfaces.signature import Signature
    from pathnet_evo.interfaces.stopping import StopRun, StopStage
    from pathnet_evo.interfaces.storage import ResumePoint, Store
    from pathnet_evo.interfaces.strategies import Strategy
    from pathnet_evo.interfaces.strategy_settings import StrategySettings
    from pathnet_evo.interfaces.summary import Summary
    from pathnet_evo.interfaces.tasks import (
        EnvironmentTask,
        SupervisedTask,
        Task,
        TaskContext,
        TaskError,
        TaskSettings,
        cache_folder,
    )
    from pathnet_evo.interfaces.trackers import Tracker
    from pathnet_evo.models.answers import Prediction, Predictions
    from pathnet_evo.models.examples import ModelError
    from pathnet_evo.models.info import NetworkInfo
    from pathnet_evo.models.restoring import load_network
    from pathnet_evo.models.trained import TrainedNetwork
    from pathnet_evo.plugins.backbones import plugin_backbone
    from pathnet_evo.plugins.files import (
        CarriedFile,
        PluginFileError,
        carried_files,
        import_carried,
    )
    from pathnet_evo.plugins.hookspecs import Register, RegisterOperator, hookimpl
    from pathnet_evo.plugins.marks import backbone
    from pathnet_evo.plugins.registry import Registry
    from pathnet_evo.report.figures import save_figures
    from pathnet_evo.running.in_memory import PathNet
    from pathnet_evo.running.loading import Run, RunFailed, load_run
    from pathnet_evo.running.runner import launch, resume
    from pathnet_evo.system.plugin_calls import said
    from pathnet_evo.values.names import CONTROLS, on_one_line
    from pathnet_evo.values.suggestions import did_you_mean
    from pathnet_evo.workers.messages import WorkerLost, WorkerUnable
    from pathnet_evo.workers.pipes import Pipes, share_memory
    from pathnet_evo.workers.supervisor import Supervised, Supervisor
    from pathnet_evo.workers.transport import (
        Transport,
        UnsendableError,
        WorkerLine,
        WorkerLink,
        WorkerMain,
    )

_HOMES = {
    "analysis.comparison": ("compare_runs",),
    "core.aggregate": ("Aggregate", "SUM"),
    "core.genotype": (
        "Genotype",
        "Path",
        "PathError",
        "PathShape",
        "Rows",
        "distinct",
        "join",
        "overlap",
    ),
    "core.head": ("Heard", "TaskHead"),
    "core.lanes.lanes": ("Lanes",),
    "core.lanes.layer": ("lane_totals",),
    "core.lanes.widened": ("split_widened",),
    "core.modules": ("ModuleKind", "Shape", "ShapeError"),
    "core.network": ("PathNetwork",),
    "core.pool": ("Lease", "ModulePool"),
    "core.stack": ("LeasedStack", "Stack"),
    "core.streams": ("Streams", "lend"),
    "engines.worker_engine": ("WorkerEngine",),
    "errors": ("UserError", "UserNotice"),
    "executors.remote": ("RemoteTrials",),
    "executors.worker_executor": ("WorkerExecutor",),
    "interfaces.budget": ("Budget",),
    "interfaces.encoders": ("Encoder",),
    "interfaces.engines": ("Engine",),
    "interfaces.evaluations": (
        "Candidate",
        "Episode",
        "Evaluation",
        "Evaluator",
        "StageFailed",
    ),
    "interfaces.executors": ("Executor", "ExecutorError", "Job", "RunSetting", "Trials"),
    "interfaces.learners": ("Learner", "LearningContext"),
    "interfaces.learning_rate": ("Scheduled",),
    "interfaces.observers": ("Observer",),
    "interfaces.policies": (
        "Beginning",
        "Connect",
        "Grown",
        "InitialModules",
        "Start",
        "TransferPolicy",
        "redraw",
    ),
    "interfaces.population": ("Front", "Replacement", "StrategyError"),
    "interfaces.records": (
        "Evaluated",
        "GenerationFinished",
        "Record",
        "StageFinished",
        "StageStarted",
        "TrialFinished",
        "TrialStarted",
    ),
    "interfaces.rivals": ("Course", "MinibatchLearner", "Rival"),
    "interfaces.run_info": ("RunInfo", "Trial"),
    "interfaces.stopping": ("StopRun", "StopStage"),
    "interfaces.signature": ("Signature",),
    "interfaces.storage": ("ResumePoint", "Store"),
    "interfaces.strategies": ("Strategy",),
    "interfaces.strategy_settings": ("StrategySettings",),
    "interfaces.summary": ("Summary",),
    "interfaces.tasks": (
        "EnvironmentTask",
        "SupervisedTask",
        "Task",
        "TaskContext",
        "TaskError",
        "TaskSettings",
        "cache_folder",
    ),
    "interfaces.trackers": ("Tracker",),
    "plugins.backbones": ("plugin_backbone",),
    "plugins.files": ("CarriedFile", "PluginFileError", "carried_files", "import_carried"),
    "models.answers": ("Prediction", "Predictions"),
    "models.examples": ("ModelError",),
    "models.info": ("NetworkInfo",),
    "models.restoring": ("load_network",),
    "models.trained": ("TrainedNetwork",),
    "plugins.hookspecs": ("Register", "RegisterOperator", "hookimpl"),
    "plugins.marks": ("backbone",),
    "plugins.registry": ("Registry",),
    "report.figures": ("save_figures",),
    "running.in_memory": ("PathNet",),
    "running.loading": ("Run", "RunFailed", "load_run"),
    "running.runner": ("launch", "resume"),
    "system.plugin_calls": ("said",),
    "values.names": ("CONTROLS", "on_one_line"),
    "values.suggestions": ("did_you_mean",),
    "workers.messages": ("WorkerLost", "WorkerUnable"),
    "workers.pipes": ("Pipes", "share_memory"),
    "workers.supervisor": ("Supervised", "Supervisor"),
    "workers.transport": ("Transport", "UnsendableError", "WorkerLine", "WorkerLink", "WorkerMain"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}
_MODULES = {"fingerprint": "interfaces.fingerprint", "memory": "interfaces.memory"}

__all__ = [
    "CONTROLS",
    "SUM",
    "Aggregate",
    "Beginning",
    "Budget",
    "Candidate",
    "CarriedFile",
    "Connect",
    "Course",
    "Encoder",
    "Engine",
    "EnvironmentTask",
    "Episode",
    "Evaluated",
    "Evaluation",
    "Evaluator",
    "Executor",
    "ExecutorError",
    "Front",
    "GenerationFinished",
    "Genotype",
    "Grown",
    "Heard",
    "InitialModules",
    "Job",
    "Lanes",
    "Learner",
    "LearningContext",
    "Lease",
    "LeasedStack",
    "MinibatchLearner",
    "ModelError",
    "ModuleKind",
    "ModulePool",
    "NetworkInfo",
    "Observer",
    "Path",
    "PathError",
    "PathNet",
    "PathNetwork",
    "PathShape",
    "Pipes",
    "PluginFileError",
    "Prediction",
    "Predictions",
    "Record",
    "Register",
    "RegisterOperator",
    "Registry",
    "RemoteTrials",
    "Replacement",
    "ResumePoint",
    "Rival",
    "Rows",
    "Run",
    "RunFailed",
    "RunInfo",
    "RunSetting",
    "Scheduled",
    "Shape",
    "ShapeError",
    "Signature",
    "Stack",
    "StageFailed",
    "StageFinished",
    "StageStarted",
    "Start",
    "StopRun",
    "StopStage",
    "Store",
    "Strategy",
    "StrategyError",
    "StrategySettings",
    "Streams",
    "Summary",
    "Supervised",
    "SupervisedTask",
    "Supervisor",
    "Task",
    "TaskContext",
    "TaskError",
    "TaskHead",
    "TaskSettings",
    "Tracker",
    "TrainedNetwork",
    "TransferPolicy",
    "Transport",
    "Trial",
    "TrialFinished",
    "TrialStarted",
    "Trials",
    "UnsendableError",
    "UserError",
    "UserNotice",
    "WorkerEngine",
    "WorkerExecutor",
    "WorkerLine",
    "WorkerLink",
    "WorkerLost",
    "WorkerMain",
    "WorkerUnable",
    "backbone",
    "cache_folder",
    "carried_files",
    "compare_runs",
    "did_you_mean",
    "distinct",
    "fingerprint",
    "hookimpl",
    "import_carried",
    "join",
    "lane_totals",
    "launch",
    "lend",
    "load_network",
    "load_run",
    "memory",
    "on_one_line",
    "overlap",
    "plugin_backbone",
    "redraw",
    "resume",
    "said",
    "save_figures",
    "share_memory",
    "split_widened",
]


def __getattr__(name: str) -> Any:
    """Import public names when they are asked for: ``pathnet-evo --help`` needs no torch."""
    if name in _MODULES:
        return import_module(f"{__name__}.{_MODULES[name]}")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
