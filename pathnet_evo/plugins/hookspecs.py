"""The hooks that plugins implement, and their markers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import pluggy

if TYPE_CHECKING:
    import typer

    from pathnet_evo.interfaces.records import (
        Evaluated,
        GenerationFinished,
        StageFinished,
        StageStarted,
    )
    from pathnet_evo.interfaces.run_info import RunInfo
    from pathnet_evo.interfaces.summary import Summary

NAME = "pathnet_evo"
"""The entry-point group, and pluggy's project name."""

hookspec = pluggy.HookspecMarker(NAME)
hookimpl = pluggy.HookimplMarker(NAME)


class Register(Protocol):
    """Registers a class under the name that configurations use."""

    def __call__(self, name: str, plugin: type | str) -> None:
        """Register a class, or ``"module:Class"`` to import it on first use."""


class RegisterOperator(Protocol):
    """Registers an operator under the name that configurations use."""

    def __call__(self, name: str, plugin: Callable[..., Any] | str) -> None:
        """Register a function, or ``"module:function"`` to import it on first use."""


@hookspec
def register_tasks(register: Register) -> None:
    """Add tasks: subclasses of ``pathnet_evo.TaskSettings``."""


@hookspec
def register_learners(register: Register) -> None:
    """Add learners: subclasses of ``pathnet_evo.Learner``."""


@hookspec
def register_strategies(register: Register) -> None:
    """Add strategies: subclasses of ``pathnet_evo.Strategy``."""


@hookspec
def register_policies(register: Register) -> None:
    """Add transfer policies: subclasses of ``pathnet_evo.TransferPolicy``."""


@hookspec
def register_modules(register: Register) -> None:
    """Add module kinds: subclasses of ``pathnet_evo.ModuleKind``."""


@hookspec
def register_operators(register: RegisterOperator) -> None:
    """Add functions for ``strategy.select``, ``strategy.mutate`` and ``strategy.mate``."""


@hookspec
def register_engines(register: Register) -> None:
    """Add engines: subclasses of ``pathnet_evo.Engine``."""


@hookspec
def register_executors(register: Register) -> None:
    """Add executors: subclasses of ``pathnet_evo.Executor``."""


@hookspec
def register_observers(register: Register) -> None:
    """Add observers: subclasses of ``pathnet_evo.Observer``."""


@hookspec
def register_commands(app: typer.Typer) -> None:
    """Add commands to ``pathnet-evo``, through the plugin's own app."""


@hookspec
def stage_started(run: RunInfo, record: StageStarted) -> object:
    """A stage of a trial starts."""


@hookspec
def evaluation_finished(run: RunInfo, record: Evaluated) -> object:
    """A candidate was evaluated, and the strategy received the result."""


@hookspec
def generation_finished(run: RunInfo, record: GenerationFinished) -> object:
    """A generation of a stage ended."""


@hookspec
def stage_finished(run: RunInfo, record: StageFinished) -> object:
    """A stage ended; its best path is scored and saved."""


@hookspec
def run_finished(run: RunInfo, summary: Summary) -> None:
    """The run finished or was stopped; ``summary`` is the content of ``summary.json``."""
