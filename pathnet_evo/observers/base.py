"""What an observer is, and how a run calls its observers without depending on them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from pathnet_evo.config import ConfigError, Problem, RunConfig, problems
from pathnet_evo.names import visible
from pathnet_evo.plan import Trial
from pathnet_evo.plugins import PluginError, Registry
from pathnet_evo.records import (
    Evaluated,
    GenerationFinished,
    Record,
    StageFinished,
    StageResumed,
    StageStarted,
)


@dataclass(frozen=True)
class RunInfo:
    """The run that an observer hears of; plain data.

    Args:
        folder: the run's folder.
        name: what its plan is called.
        trials: arm and seed of every trial, by its id.
    """

    folder: Path
    name: str
    trials: Mapping[int, Trial]


class Observer(BaseModel):
    """An observer plugin: its fields are its configuration (``observers``).

    Override the hooks that it needs. They are called in the process that was started, one after
    another and in order, whatever runs the trials; times that they take, the run waits.
    """

    model_config = ConfigDict(extra="forbid")

    def stage_started(self, run: RunInfo, record: StageStarted) -> None:
        """A stage of a trial begins."""

    def evaluation_finished(self, run: RunInfo, record: Evaluated) -> None:
        """A candidate was evaluated, and the strategy was told."""

    def generation_finished(self, run: RunInfo, record: GenerationFinished) -> None:
        """A generation of a stage is over."""

    def stage_finished(self, run: RunInfo, record: StageFinished) -> None:
        """A stage is over, its best path scored and kept."""

    def run_finished(self, run: RunInfo, summary: dict[str, Any]) -> None:
        """The run is over, or was stopped."""


HOOKS: Mapping[type, str] = {
    StageStarted: "stage_started",
    Evaluated: "evaluation_finished",
    GenerationFinished: "generation_finished",
    StageFinished: "stage_finished",
}
"""The hook that a record calls; the start and end of a trial call none."""


class Observers:
    """Everything that observes one run; what raises is switched off, and the run goes on.

    Args:
        run: the run.
        observers: what the configuration asked for, by name.
        registry: whose plugins' own hooks are called as well.
    """

    def __init__(
        self, run: RunInfo, observers: Iterable[tuple[str, Observer]], registry: Registry
    ) -> None:
        self.run = run
        self._calls = {
            hook: dict(registry.hooks(hook)) for hook in (*HOOKS.values(), "run_finished")
        }
        for name, observer in observers:
            for hook, calls in self._calls.items():
                calls[f"observer {name}"] = getattr(observer, hook)

    def heard(self, record: Record) -> None:
        """Call a record's hook; a stage that goes on is told as one that begins."""
        if isinstance(record, StageResumed):
            record = record.started
        hook = HOOKS.get(type(record))
        if hook is not None:
            self._call(hook, record=record)

    def finished(self, summary: dict[str, Any]) -> None:
        """Say that the run is over."""
        self._call("run_finished", summary=summary)

    def _call(self, hook: str, **said: Any) -> None:
        for name, call in list(self._calls[hook].items()):
            try:
                call(run=self.run, **said)
            except (Exception, SystemExit) as error:
                for calls in self._calls.values():
                    calls.pop(name, None)
                reason = visible(" ".join(f"{type(error).__name__}: {error}".split()))
                sys.stderr.write(
                    f"{name} failed in {hook} ({reason}); it is switched off, the run goes on\n"
                )


def resolve_observers(config: RunConfig, registry: Registry) -> list[tuple[str, Observer]]:
    """The observers that a configuration asks for, by name.

    Raises:
        ConfigError: everything that is wrong with them.
    """
    found: list[Problem] = []
    made: list[tuple[str, Observer]] = []
    for i, section in enumerate(config.observers):
        place = f"observers.{i}"
        options = {key: value for key, value in section.items() if key != "name"}
        name = section.get("name")
        if not isinstance(name, str):
            found.append(Problem(f"{place}.name", "missing" if name is None else "not a name"))
            continue
        if name in _names(made):
            found.append(Problem(place, f"{name!r} is there twice"))
            continue
        try:
            model = registry.get("observers", name)
            made.append((name, model.model_validate(options)))
        except PluginError as error:
            found.append(Problem(f"{place}.name", str(error)))
        except ValidationError as error:
            found.extend(problems(error, model, place))
    if found:
        raise ConfigError(found)
    return made


def _names(made: Sequence[tuple[str, Observer]]) -> set[str]:
    return {name for name, _ in made}
