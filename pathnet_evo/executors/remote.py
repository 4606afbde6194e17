"""Trials in another process than the one that was started: what it does, whatever started it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from pathnet_evo.errors import UserError
from pathnet_evo.executors.trials import run_trial
from pathnet_evo.interfaces.executors import Job, RunSetting
from pathnet_evo.interfaces.records import (
    EpisodesFinished,
    Evaluated,
    GenerationFinished,
    Record,
    TrialFinished,
    TrialStarted,
)
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup.config import RunConfig
from pathnet_evo.setup.plan import Plan
from pathnet_evo.setup.resolving import resolve
from pathnet_evo.system.plugin_calls import PluginFailed, calling

SENT_EVERY = 0.1
"""Seconds for which records are gathered before they are sent."""

Send: TypeAlias = Callable[[Sequence[Record]], None]
"""Takes records, in order, to the process that was started."""


class RemoteTrials:
    """Runs the trials that it is given, one after another.

    Args:
        setting: what all of them have in common; the plugins that it names are loaded here.
        send: takes their records.
        stop: whether to stop; asked between rounds of evolution.
    """

    def __init__(self, setting: RunSetting, send: Send, stop: Callable[[], bool]) -> None:
        self.setting, self._send, self._stop = setting, send, stop
        self._ends: dict[int, int] = {}
        self._gathered: list[Record] = []
        self._sent = time.monotonic()
        self._plan: Plan | None = None
        self._unable = ""
        config = RunConfig.model_validate(dict(setting.config))
        try:
            with calling("", UserError):
                self._plan = resolve(config, Registry(files=config.plugins))
        except (UserError, PluginFailed) as error:
            self._unable = str(error)

    def run(self, job: Job) -> None:
        """Run a trial; all its records are sent when this returns."""
        if self._plan is None:  # where none can be run, each is reported as failed
            trial = job.trial
            self._emit(TrialStarted(trial.id, trial.arm, trial.seed))
            self._emit(TrialFinished(trial.id, "failed", self._unable))
            return
        setting = self.setting

        def ends(stage: int) -> bool:
            return self._ends.get(job.trial.id) == stage

        run_trial(
            self._plan,
            job,
            setting.store,
            setting.device,
            self._emit,
            self._stop,
            ends,
            setting.threads,
        )

    def end_stage(self, trial: int, stage: int) -> None:
        """End a stage of a trial early, before its next round; called from ``stop``."""
        self._ends[trial] = stage

    def close(self) -> None:
        """End what trials keep from one to the next."""
        if self._plan is not None:
            self._plan.engine.close()

    def _emit(self, record: Record) -> None:
        self._gathered.append(record)
        frequent = isinstance(record, Evaluated | EpisodesFinished | GenerationFinished)
        if not frequent or time.monotonic() - self._sent > SENT_EVERY:
            gathered, self._gathered = self._gathered, []
            self._send(gathered)
            self._sent = time.monotonic()
