"""Trials in this process, one after another; and how any one trial is run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from pathnet_evo.interfaces.learners import StageFailed
from pathnet_evo.interfaces.population import StrategyError
from pathnet_evo.interfaces.records import Emit, Record, TrialFinished, TrialStarted
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.interfaces.tasks import TaskError
from pathnet_evo.setup.config import ConfigError
from pathnet_evo.setup.plan import Plan
from pathnet_evo.store.checkpoint import CheckpointError
from pathnet_evo.store.checkpointer import TrialCheckpointer
from pathnet_evo.store.resuming import ResumePoint as Start
from pathnet_evo.system.plugin_calls import PluginFailed, ProcessState, said
from pathnet_evo.trial.trial import learn_sequence


def run_trials(
    plan: Plan,
    trials: Sequence[tuple[Trial, Start | None]],
    folder: Path,
    device: str,
    emit: Emit,
    stop: Callable[[], bool],
) -> None:
    """Run trials one after another, until told to stop."""
    try:
        for trial, start in trials:
            if stop():
                break
            run_trial(plan, trial, folder, device, emit, stop, start)
    finally:
        plan.engine.close()


def run_trial(
    plan: Plan,
    trial: Trial,
    folder: Path,
    device: str,
    emit: Emit,
    stop: Callable[[], bool],
    start: Start | None = None,
) -> None:
    """Run one trial to its end, from its beginning or from a checkpoint.

    A stage that fails, a checkpoint that cannot be written, or whatever a plugin raises, ends it,
    and is reported, not raised. What ``emit`` raises is no failure of the trial, and is raised.
    """
    outside: list[BaseException] = []

    def tell(record: Record) -> None:
        try:
            emit(record)
        except BaseException as error:
            outside.append(error)
            raise

    tell(TrialStarted(trial.id, trial.arm, trial.seed))
    with one_thread(device):
        try:
            state, chains, base = (None, None, None) if start is None else start.load(folder)
            checkpointer = TrialCheckpointer(
                folder, trial, plan.config.checkpoints, tell, chains, base
            )
            learned = learn_sequence(
                plan, trial, device, checkpointer.emit, stop, checkpointer, state
            )
        except BaseException as error:
            if outside or isinstance(error, KeyboardInterrupt):
                raise
            over = TrialFinished(trial.id, *_failure(error))
        else:
            whole = len(learned) == len(plan.stages)
            over = TrialFinished(trial.id, "finished" if whole else "interrupted")
    tell(over)


def _failure(error: BaseException) -> tuple[str, str]:
    """The state of a trial that an error ended, and the error on one line."""
    match error:
        case CheckpointError():
            return "interrupted", str(error)
        case StageFailed() | StrategyError() | ConfigError() | TaskError() | PluginFailed():
            return "failed", str(error)
        case _:
            return "failed", said(error)


@contextmanager
def one_thread(device: str) -> Iterator[None]:
    """One torch thread and, on a GPU, deterministic algorithms, as long as the block lasts.

    Whatever else of the process is changed in it is put back.
    """
    before = ProcessState.now()
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    if device.startswith("cuda"):
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
        before.put_back()
