"""The hooks that plugins implement, and the markers for them."""

from __future__ import annotations

from typing import Protocol

import pluggy

NAME = "pathnet_evo"
"""The entry-point group, and pluggy's project name."""

hookspec = pluggy.HookspecMarker(NAME)
hookimpl = pluggy.HookimplMarker(NAME)


class Register(Protocol):
    """Adds a plugin's class under the name that configurations use."""

    def __call__(self, name: str, plugin: type | str) -> None:
        """Register a class, or ``"module:Class"`` to import it only when it is asked for."""


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
def register_modules(register: Register) -> None:
    """Add module kinds: subclasses of ``pathnet_evo.ModuleKind``."""
