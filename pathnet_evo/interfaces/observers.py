"""What an observer is, and which record calls which of its hooks."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from pathnet_evo.interfaces.records import (
    Evaluated,
    GenerationFinished,
    StageFinished,
    StageStarted,
)
from pathnet_evo.interfaces.run_info import RunInfo
from pathnet_evo.interfaces.summary import Summary
from pathnet_evo.values.options import OPTIONS


class Observer(BaseModel):
    """An observer plugin: its fields are its configuration (``observers``).

    Override the hooks that it needs. They are called in the process that was started, one after
    another and in order, whatever runs the trials; times that they take, the run waits. Those that
    take a record can return or raise ``StopStage`` or ``StopRun`` to end early.
    """

    model_config = OPTIONS | ConfigDict(frozen=False)

    def stage_started(self, run: RunInfo, record: StageStarted) -> object:
        """A stage of a trial begins."""

    def evaluation_finished(self, run: RunInfo, record: Evaluated) -> object:
        """A candidate was evaluated, and the strategy received the evaluation."""

    def generation_finished(self, run: RunInfo, record: GenerationFinished) -> object:
        """A generation of a stage is over."""

    def stage_finished(self, run: RunInfo, record: StageFinished) -> object:
        """A stage is over, its best path scored and kept."""

    def run_finished(self, run: RunInfo, summary: Summary) -> None:
        """The run is over, or was stopped."""


HOOKS: Mapping[type, str] = {
    StageStarted: "stage_started",
    Evaluated: "evaluation_finished",
    GenerationFinished: "generation_finished",
    StageFinished: "stage_finished",
}
"""The hook that a record calls; the start and end of a trial call none."""
