"""How any one trial is run, whatever runs it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from pathnet_evo.interfaces.evaluations import StageFailed
from pathnet_evo.interfaces.executors import Job
from pathnet_evo.interfaces.population import StrategyError
from pathnet_evo.interfaces.records import Emit, Record, TrialFinished, TrialStarted
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.interfaces.storage import Store
from pathnet_evo.interfaces.tasks import TaskError
from pathnet_evo.setup.plan import Plan
from pathnet_evo.setup.problems import ConfigError
from pathnet_evo.store.checkpoint import CheckpointError
from pathnet_evo.store.checkpointer import TrialCheckpointer
from pathnet_evo.system.plugin_calls import PluginFailed, ProcessState, calling, said
from pathnet_evo.trial.rival import learn_with_rival
from pathnet_evo.trial.trial import learn_sequence


def run_trial(
    plan: Plan,
    job: Job,
    store: Store,
    device: str,
    emit: Emit,
    stop: Callable[[], bool],
    ends: Callable[[int], bool] = lambda stage: False,
    threads: int = 1,
) -> None:
    """Run one trial to its end, from its beginning or from a checkpoint.

    ``stop`` and ``ends`` are those of ``learn_sequence``.

    A stage that fails, a checkpoint that cannot be written, or whatever a plugin raises, ends it,
    and is reported, not raised. What ``emit`` raises is no failure of the trial, and is raised.
    """
    trial = job.trial
    outside: list[BaseException] = []

    def tell(record: Record) -> None:
        try:
            emit(record)
        except BaseException as error:
            outside.append(error)
            raise

    tell(TrialStarted(trial.id, trial.arm, trial.seed))
    with torch_threads(device, threads):
        try:
            checkpoints, state = TrialCheckpointer.begun(
                store, trial, plan.config.checkpoints, tell, job.start
            )
            whole = _learned_all(plan, trial, device, stop, ends, checkpoints, state)
        except BaseException as error:
            if outside or isinstance(error, KeyboardInterrupt):
                raise
            over = TrialFinished(trial.id, *_failure(error))
        else:
            over = TrialFinished(trial.id, "finished" if whole else "interrupted")
    tell(over)


def _learned_all(
    plan: Plan,
    trial: Trial,
    device: str,
    stop: Callable[[], bool],
    ends: Callable[[int], bool],
    checkpoints: TrialCheckpointer,
    state: dict[str, Any] | None,
) -> bool:
    """Learn the sequence, by evolution or with the arm's rival; whether it was learned whole.

    A rival's stage does not end before its budget is used.
    """
    with calling("transfer policy"):
        rival = plan.arms[trial.arm].policy.rival()
    if rival is not None:
        return learn_with_rival(
            plan, trial, device, checkpoints.emit, stop, rival, checkpoints, state
        )
    learned = learn_sequence(plan, trial, device, checkpoints.emit, stop, checkpoints, state, ends)
    return len(learned) == len(plan.stages)


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
def torch_threads(device: str, number: int = 1) -> Iterator[None]:
    """Fix torch's threads and, on a GPU, its algorithms, as long as the block lasts.

    Whatever else of the process is changed in it is put back.
    """
    before = ProcessState.now()
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(number)
    if device.startswith("cuda"):
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        if torch.are_deterministic_algorithms_enabled() != deterministic:
            torch.use_deterministic_algorithms(deterministic)  # imports torch's compiler
        before.put_back()
