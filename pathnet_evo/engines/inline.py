"""Trials in this process, one after another; and how any one trial is run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from pathnet_evo.config import ConfigError
from pathnet_evo.evolve import StageFailed
from pathnet_evo.plan import Plan, Trial
from pathnet_evo.pool import ModulePool
from pathnet_evo.records import Emit, StageFinished, TrialFinished, TrialStarted
from pathnet_evo.run import checkpoint
from pathnet_evo.strategies.base import StrategyError
from pathnet_evo.tasks import TaskError
from pathnet_evo.transfer import Keep, Learned, learn_sequence


def run_trials(
    plan: Plan,
    trials: Sequence[Trial],
    folder: Path,
    device: str,
    emit: Emit,
    stop: Callable[[], bool],
) -> None:
    """Run trials one after another, until told to stop."""
    try:
        for trial in trials:
            if stop():
                break
            run_trial(plan, trial, folder, device, emit, stop)
    finally:
        plan.engine.close()


def run_trial(
    plan: Plan,
    trial: Trial,
    folder: Path,
    device: str,
    emit: Emit,
    stop: Callable[[], bool],
) -> None:
    """Run one trial to its end; a stage that fails ends it, and is told, not raised."""
    emit(TrialStarted(trial.id, trial.arm, trial.seed))
    keep = _KeepStages(trial, folder)
    with one_thread(device):
        try:
            learned = learn_sequence(plan, trial, device, emit, stop, keep)
        except (StageFailed, StrategyError, ConfigError, TaskError) as error:
            emit(TrialFinished(trial.id, "failed", str(error)))
            return
    whole = len(learned) == len(plan.stages)
    emit(TrialFinished(trial.id, "finished" if whole else "interrupted"))


class _KeepStages(Keep):
    """A checkpoint at the end of each stage."""

    def __init__(self, trial: Trial, folder: Path) -> None:
        self.trial, self.folder = trial, folder

    def finished(
        self, pool: ModulePool, learned: list[Learned], record: StageFinished
    ) -> tuple[str, str]:
        arm, seed, stage = self.trial.arm, self.trial.seed, record.stage
        relative = f"checkpoints/{arm}-{seed}/stage-{stage}"
        about = {"run": self.folder.name, "arm": arm, "seed": seed, "stage": stage}
        return relative, checkpoint.save(self.folder / relative, about, pool, learned)


@contextmanager
def one_thread(device: str) -> Iterator[None]:
    """One torch thread and, on a GPU, deterministic algorithms, as long as the block lasts."""
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
