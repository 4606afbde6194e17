"""The contract kit of executors; plugin authors subclass it."""

from __future__ import annotations

import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pathnet_evo.executors.inline import InlineExecutor
from pathnet_evo.executors.trials import run_trial
from pathnet_evo.interfaces.executors import Executor, Job, RunSetting
from pathnet_evo.interfaces.records import (
    Checkpointed,
    Evaluated,
    Record,
    StageFinished,
    TrialFinished,
    TrialStarted,
)
from pathnet_evo.interfaces.storage import ResumePoint
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup.config import validate
from pathnet_evo.setup.plan import Plan
from pathnet_evo.setup.resolving import resolve
from pathnet_evo.store import checkpoint
from pathnet_evo.store.folder import Folder
from pathnet_evo.store.rows import Chains
from pathnet_evo.testing.plain import check_settings

STAGE = {"task": {"name": "digits", "copies": 1}, "generations": 2}
"""A stage of a moment."""
SMALL = {
    "arms": ["pathnet", "fine-tuning"],
    "pool": {"modules": 4, "width": 2, "layers": [{"kind": "linear", "units": 3, "repeat": 2}]},
    "strategy": {"name": "binary-tournament", "population": 4},
    "learner": {"name": "sgd", "n_batches": 1, "batch_size": 4},
    "transfer": {"prior": False},
    "stages": [STAGE, STAGE],
}
"""A run of two trials."""
SECONDS = {**SMALL, "stages": [STAGE, {**STAGE, "generations": 200}]}
"""A run of two trials whose second stage takes seconds, in which a process can be killed."""
ENDLESS = {**SMALL, "stages": [{**STAGE, "generations": 10**6}]}
"""A run of two trials that nobody waits for."""
SOON = 20_000
"""Records that an executor may emit after it was to stop."""


class EmitFailed(RuntimeError):  # noqa: N818
    """What a run raises where it cannot take a record."""


class TrialsBench:
    """A run's trials, as an executor has them, and what became of them.

    Args:
        folder: of the run.
        data: its configuration.
        starts: where trials begin, by their ids; the others at their beginnings.
        on_record: called with each record.

    Attributes:
        records: what was emitted, in order.
        losses: causes of trials that were lost.
        stopping: whether the trials are to stop.
        ends: stages that are to end early, by trial.
    """

    def __init__(
        self,
        folder: Path,
        data: Mapping[str, Any] = SMALL,
        starts: Mapping[int, ResumePoint] | None = None,
        on_record: Callable[[TrialsBench, Record], None] = lambda bench, record: None,
    ) -> None:
        config = validate(data)
        self.plan: Plan = resolve(config, Registry())
        self.setting = RunSetting(config.model_dump(), "cpu", Folder(folder))
        given = starts or {}
        self.jobs: Sequence[Job] = [Job(t, given.get(t.id)) for t in self.plan.trials]
        self.records: list[Record] = []
        self.losses: list[str] = []
        self.stopping = False
        self.ends: dict[int, int] = {}
        self._on_record = on_record

    def run_here(self, job: Job) -> None:
        """Run a trial in this process."""

        def ends(stage: int) -> bool:
            return self.ending(job.trial.id) == stage

        run_trial(self.plan, job, self.setting.store, "cpu", self.emit, self.stop, ends)

    def emit(self, record: Record) -> None:
        """Take a record."""
        self.records.append(record)
        self._on_record(self, record)

    def stop(self) -> bool:
        """Whether to stop."""
        return self.stopping

    def ending(self, trial: int) -> int | None:
        """The stage of a trial that is to end early."""
        return self.ends.get(trial)

    def lost(self, job: Job, cause: str, retries: int) -> Job | None:
        """A trial begins again from its newest checkpoint that is whole, as in a run."""
        self.losses.append(cause)
        if len(self.losses) > retries:
            self.emit(TrialFinished(job.trial.id, "failed", cause))
            return None
        whole = filter(self._is_whole, reversed(self.saved(job.trial.id)))
        return Job(job.trial, next(whole, job.start))

    def _is_whole(self, point: ResumePoint) -> bool:
        """Whether a checkpoint is there: a process that is killed may have cleared it away."""
        try:
            checkpoint.verify(self.setting.store.get(point.place), point.manifest)
        except checkpoint.CheckpointError:
            return False
        return True

    def of(self, trial: int) -> list[Record]:
        """The records of a trial."""
        return [record for record in self.records if record.trial == trial]

    def saved(self, trial: int) -> list[ResumePoint]:
        """The checkpoints of a trial, in order."""
        found = []
        for record in self.of(trial):
            if isinstance(record, Checkpointed):
                found.append(ResumePoint(record.folder, record.manifest))
            elif isinstance(record, StageFinished) and record.checkpoint is not None:
                found.append(ResumePoint(*record.checkpoint))
        return found

    def links(self, trial: int) -> dict[str, str]:
        """The digest of a trial's rows, as its last checkpoint has it."""
        last = self.saved(trial)[-1]
        folder = self.setting.store.get(last.place)
        links: dict[str, str] = checkpoint.verify(folder, last.manifest)["lineage"]
        return links


class ExecutorContract(ABC):
    """What every executor keeps to.

    A subclass is a test class for pytest::

        class TestMyExecutor(ExecutorContract):
            def executor(self) -> Executor:
                return MyExecutor(workers=2)
    """

    @abstractmethod
    def executor(self) -> Executor:
        """The executor."""

    def kill(self) -> bool:
        """End a process that runs a trial, as a crash would; whether one was found.

        Override it where trials run in processes of their own; it must find one then.
        """
        return False

    def test_settings_are_plain(self) -> None:
        """A run could not be repeated from its run.toml."""
        assert isinstance(self.executor(), Executor), "an executor derives from Executor"
        check_settings(self.executor(), "executor")

    def test_every_trial_ends(self) -> None:
        """Trials would be missing from a run, or be in it twice."""
        with self._ran() as bench:
            for job in bench.jobs:
                records = bench.of(job.trial.id)
                begun = [r for r in records if isinstance(r, TrialStarted)]
                over = [r for r in records if isinstance(r, TrialFinished)]
                assert len(begun) == len(over) == 1, (
                    f"run() must bring every trial to its end, once, but trial {job.trial.id} "
                    f"began {len(begun)} times and ended {len(over)} times"
                )
                assert records[0] is begun[0], "TrialStarted must be a trial's first record"
                assert records[-1] is over[0], "TrialFinished must be a trial's last record"
                assert over[0].state == "finished", f"a trial {over[0].state}: {over[0].error}"

    def test_gives_what_inline_gives(self) -> None:
        """A run would depend on where its trials run."""
        with self._ran() as bench, self._ran(InlineExecutor()) as inline:
            for job in bench.jobs:
                assert bench.links(job.trial.id) == inline.links(job.trial.id), (
                    f"trial {job.trial.id} must give what it gives inline, bit for bit"
                )

    def test_records_come_in_order(self) -> None:
        """Checkpoints would not match the lineage, and no run could be resumed."""
        with self._ran() as bench:
            for job in bench.jobs:
                chains = Chains()
                for record in bench.of(job.trial.id):
                    chains.on_record(record)
                assert chains.links == bench.links(job.trial.id), (
                    f"the records of trial {job.trial.id} must be emitted as it gave them, all of "
                    "them and in order"
                )

    def test_stops(self) -> None:
        """Ctrl-C would not end a run, or end it where it cannot be resumed."""

        def on_record(bench: TrialsBench, record: Record) -> None:
            bench.stopping = bench.stopping or isinstance(record, Evaluated)
            assert len(bench.records) < SOON, "run() must return soon after stop() is true"

        with self._ran(data=ENDLESS, on_record=on_record) as bench:
            begun = {r.trial for r in bench.records if isinstance(r, TrialStarted)}
            over = {r.trial: r.state for r in bench.records if isinstance(r, TrialFinished)}
            assert over == dict.fromkeys(begun, "interrupted"), (
                f"trials that are stopped must end as interrupted: {sorted(begun)} began, {over}"
            )
            for trial in {r.trial for r in bench.records if isinstance(r, Evaluated)}:
                assert bench.saved(trial), "a trial that is stopped must leave a checkpoint"

    def test_ends_a_stage_early(self) -> None:
        """An observer that has seen enough could not end a stage without ending the run."""

        def on_record(bench: TrialsBench, record: Record) -> None:
            if isinstance(record, Evaluated):
                bench.ends[record.trial] = record.stage
            assert len(bench.records) < SOON, "a stage must end soon after ending() names it"

        with self._ran(data=ENDLESS, on_record=on_record) as bench:
            over = {r.trial: r.state for r in bench.records if isinstance(r, TrialFinished)}
            assert over == {job.trial.id: "finished" for job in bench.jobs}, (
                f"a trial whose stage ends early must finish: {over}"
            )

    def test_resumes(self) -> None:
        """A run that was interrupted would begin again, and lose what it had learned."""
        with self._ran(InlineExecutor()) as whole, tempfile.TemporaryDirectory() as folder:
            starts = {job.trial.id: whole.saved(job.trial.id)[0] for job in whole.jobs}
            for start in starts.values():
                source = whole.setting.store.get(start.place)
                shutil.copytree(source, Path(folder) / start.place)
            bench = TrialsBench(Path(folder), starts=starts)
            self.executor().run(bench)
            for job in bench.jobs:
                stages = [r.stage for r in bench.of(job.trial.id) if isinstance(r, StageFinished)]
                assert stages == [1], (
                    "a trial must begin where its job's start says: after stage 0, but trial "
                    f"{job.trial.id} learned stages {stages}"
                )
                assert bench.links(job.trial.id) == whole.links(job.trial.id), (
                    "a trial that resumes must give what it gives at one go"
                )

    def test_a_trial_that_cannot_begin_costs_itself(self) -> None:
        """One trial's trouble would end the whole run."""
        starts = {0: ResumePoint("checkpoints/pathnet-0/stage-0", "0" * 64)}
        with self._ran(starts=starts) as bench:
            over = {r.trial: r for r in bench.records if isinstance(r, TrialFinished)}
            states = {trial: record.state for trial, record in over.items()}
            assert states == {0: "interrupted", 1: "finished"}, (
                f"a trial whose checkpoint is missing must end, and the others finish: {states}"
            )

    def test_a_record_that_cannot_be_taken_ends_it(self) -> None:
        """A run would go on although its disk is full."""

        def on_record(bench: TrialsBench, record: Record) -> None:
            if isinstance(record, Evaluated):
                raise EmitFailed

        try:
            with self._ran(data=ENDLESS, on_record=on_record):
                pass
        except EmitFailed:
            return
        raise AssertionError("what emit() raises must end run(), and be raised by it")

    def test_a_lost_trial_begins_again(self) -> None:
        """A process that is killed would cost a trial of days."""
        if type(self).kill is ExecutorContract.kill:
            return
        killed = False

        def on_record(bench: TrialsBench, record: Record) -> None:
            nonlocal killed
            if not killed and isinstance(record, StageFinished):
                killed = self.kill()

        with self._ran(data=SECONDS, on_record=on_record) as bench:
            assert killed, (
                "kill() must end a process that runs a trial, and return True, but as stages of "
                "trials finished it found none"
            )
            assert len(bench.losses) == 1, (
                "a trial whose process was killed must be given to lost(), once"
            )
            over = {r.trial: r.state for r in bench.records if isinstance(r, TrialFinished)}
            assert set(over.values()) == {"finished"}, (
                f"the job that lost() returns must be run to its end: {over}"
            )

    @contextmanager
    def _ran(self, executor: Executor | None = None, **options: Any) -> Iterator[TrialsBench]:
        """A run's trials after an executor ran them."""
        with tempfile.TemporaryDirectory() as folder:
            bench = TrialsBench(Path(folder), **options)
            (self.executor() if executor is None else executor).run(bench)
            yield bench
