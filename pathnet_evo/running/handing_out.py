"""A run hands its trials to its executor, whatever that is, and gives lost ones out again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from pathnet_evo.errors import UserError
from pathnet_evo.executors.trials import run_trial
from pathnet_evo.interfaces.executors import Job, RunSetting
from pathnet_evo.interfaces.records import Emit, Record, TrialFinished, TrialLost, TrialStarted
from pathnet_evo.interfaces.stopping import EarlyEnds
from pathnet_evo.interfaces.storage import ResumePoint
from pathnet_evo.setup.plan import Plan
from pathnet_evo.setup.preparing import device_of
from pathnet_evo.store.checkpoint import CheckpointError
from pathnet_evo.store.folder import Folder
from pathnet_evo.store.lineage import Lineage
from pathnet_evo.store.lock import Lock
from pathnet_evo.store.resuming import start_again
from pathnet_evo.system import standard_streams
from pathnet_evo.system.plugin_calls import PluginFailed, calling


def hand_out(
    plan: Plan,
    folder: Path,
    lock: Lock,
    lineage: Lineage,
    starts: Mapping[int, ResumePoint | None],
    emit: Emit,
    stop: Callable[[], bool],
    early: EarlyEnds,
) -> None:
    """Have the plan's executor run trials; one that it does not bring to an end has failed.

    Args:
        plan: what is run.
        folder: the run's.
        lock: holds it.
        lineage: its writer, which hears of the trials through ``emit``.
        starts: where each trial that is to be run begins.
        emit: takes their records.
        stop: whether to stop where the run can be resumed.
        early: what is to end early.

    Raises:
        UserError: the executor can run no trial; and whatever ``emit`` raises.
    """
    trials = HandedOut(plan, folder, lock, lineage, starts, emit, stop, early)
    name = plan.config.executor["name"]
    cause = ""
    try:
        with calling(f"executor {name}", UserError):
            plan.executor.run(trials)
    except PluginFailed as error:
        if trials.outside is not None:
            raise trials.outside from None
        cause = str(error)
    finally:
        plan.engine.close()
    trials.conclude(cause or f"executor {name} did not bring it to an end")


class HandedOut:
    """The trials of a run, as an executor has them; see ``Trials``.

    Args:
        plan, folder, lock, lineage, starts, emit, stop, early: as of ``hand_out``.

    Attributes:
        outside: what ``emit`` raised, if anything.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        lock: Lock,
        lineage: Lineage,
        starts: Mapping[int, ResumePoint | None],
        emit: Emit,
        stop: Callable[[], bool],
        early: EarlyEnds,
    ) -> None:
        self.plan, self.lock, self.lineage, self.early = plan, lock, lineage, early
        self._interrupted = stop
        self.jobs = [Job(trial, starts[trial.id]) for trial in plan.trials if trial.id in starts]
        store = Folder(folder.absolute(), lock.identity)
        self.setting = RunSetting(plan.config.model_dump(), device_of(plan), store)
        self.outside: BaseException | None = None
        self._emit = emit
        self._lost: Counter[int] = Counter()
        self._begun: set[int] = set()
        self._over: set[int] = set()

    def run_here(self, job: Job) -> None:
        """Run a trial in this process."""
        store, device = self.setting.store, self.setting.device

        def ends(stage: int) -> bool:
            return self.ending(job.trial.id) == stage

        run_trial(self.plan, job, store, device, self.emit, self.stop, ends)

    def stop(self) -> bool:
        """Whether to stop."""
        return self.early.run or self._interrupted()

    def ending(self, trial: int) -> int | None:
        """The stage of a trial that is to end early."""
        return self.early.stages.get(trial)

    @property
    def ended_early(self) -> bool:
        """Whether trials stop for good, and not to be resumed."""
        return self.early.run and not self._interrupted()

    def emit(self, record: Record) -> None:
        """Take a record."""
        match record:
            case TrialStarted():
                self._begun.add(record.trial)
            case TrialFinished():
                self._over.add(record.trial)
                if self.ended_early and (record.state, record.error) == ("interrupted", None):
                    record = replace(record, state="stopped")
        try:
            self._emit(record)
        except BaseException as error:
            self.outside = error
            raise

    def lost(self, job: Job, cause: str, retries: int) -> Job | None:
        """Bring a trial whose process is gone back to its last checkpoint, or give it up."""
        self.lock.check()
        trial = job.trial
        self._lost[trial.id] += 1
        if trial.id not in self._begun:
            self.emit(TrialStarted(trial.id, trial.arm, trial.seed))
        if self.stop():
            self.emit(TrialFinished(trial.id, "interrupted"))
            return None
        if self._lost[trial.id] > retries:
            self.emit(TrialFinished(trial.id, "failed", cause))
            return None
        folder = self.lineage.path.parent
        try:
            start = start_again(folder, self.lineage, trial, standard_streams.warn)
        except CheckpointError as error:
            self.emit(TrialFinished(trial.id, "failed", f"{cause}; {error}"))
            return None
        self.emit(TrialLost(trial.id, cause, None if start is None else start.place))
        return Job(trial, start)

    def conclude(self, cause: str) -> None:
        """Report what became of trials that the executor did not bring to an end.

        Where the run was interrupted, trials that have not begun can begin when it resumes.
        """
        interrupted = self._interrupted()
        for job in self.jobs:
            trial = job.trial
            if trial.id in self._over or (interrupted and trial.id not in self._begun):
                continue
            if trial.id not in self._begun:
                self.emit(TrialStarted(trial.id, trial.arm, trial.seed))
            if interrupted:
                self.emit(TrialFinished(trial.id, "interrupted"))
            elif self.early.run:
                self.emit(TrialFinished(trial.id, "stopped"))
            else:
                self.emit(TrialFinished(trial.id, "failed", cause))
