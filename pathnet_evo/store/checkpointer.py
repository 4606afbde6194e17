"""When to take a trial's checkpoints, and how to write them while it continues."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from pathnet_evo.core.pool import ModulePool
from pathnet_evo.interfaces.records import Checkpointed, Emit, Record, StageFinished
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.interfaces.storage import ResumePoint, Store
from pathnet_evo.setup.config import CheckpointsConfig
from pathnet_evo.store import checkpoint
from pathnet_evo.store.checkpoint import Base
from pathnet_evo.store.places import home_of
from pathnet_evo.store.rows import Chains, Position
from pathnet_evo.trial.learned import Learned
from pathnet_evo.trial.stage import StageRun
from pathnet_evo.trial.trial import Checkpointer


def folder_of(trial: Trial) -> str:
    """The location of a trial's checkpoints in the run's folder."""
    return home_of(trial.arm, trial.seed)


class TrialCheckpointer(Checkpointer):
    """Takes the checkpoints of one trial.

    Tensors are copied between two rounds; a thread of its own writes, hashes and syncs the copy.
    The record that names a checkpoint follows when it is durable, so after all records before it.

    Args:
        store: where checkpoints lie.
        trial: whose state is kept.
        config: when.
        emit: hears of every record of the trial, and of its checkpoints.
        chains: the digest of the trial's rows from earlier sessions.
        base: the previous stage's checkpoint, if the trial resumes within a stage.
    """

    def __init__(
        self,
        store: Store,
        trial: Trial,
        config: CheckpointsConfig,
        emit: Emit,
        chains: Chains | None = None,
        base: Base | None = None,
    ) -> None:
        self.store, self.trial, self.config = store, trial, config
        self._emit = emit
        self._chains = Chains() if chains is None else chains
        self._base = base
        self._writing: _Writing | None = None
        self._kept: tuple[int, int] | None = None
        self._told = self._generation = 0
        self._since = time.monotonic()

    @classmethod
    def begun(
        cls,
        store: Store,
        trial: Trial,
        config: CheckpointsConfig,
        emit: Emit,
        start: ResumePoint | None = None,
    ) -> tuple[TrialCheckpointer, dict[str, Any] | None]:
        """A checkpointer for a new or resumed trial, and the state to resume from.

        Raises:
            CheckpointError: the checkpoint is damaged.
        """
        if start is None:
            return cls(store, trial, config, emit), None
        folder = checkpoint.fetch(store, start.place)
        about = checkpoint.verify(folder, start.manifest)
        base: Base | None = None
        if about["position"]["finished"]:
            base = (folder.name, start.manifest)
        elif "base" in about:
            base = (about["base"]["folder"], about["base"]["manifest"])
        checkpointer = cls(store, trial, config, emit, Chains(about["lineage"]), base)
        return checkpointer, checkpoint.load(folder, start.manifest)

    def emit(self, record: Record) -> None:
        """Forward a record of the trial."""
        if not isinstance(record, StageFinished):  # it was taken in before it named a checkpoint
            self._chains.on_record(record)
        self._emit(record)

    def between(
        self, pool: ModulePool, learned: list[Learned], stage_run: StageRun, stopping: bool
    ) -> None:
        """Take a checkpoint if one is due, or if the trial stops here.

        Raises:
            CheckpointError: this one or the last cannot be written.
        """
        here = (stage_run.started.stage, stage_run.rounds)
        if self._kept is None or self._kept[0] != here[0]:
            self._begin_stage(stage_run, here)
        counted = self._due(stage_run)
        if self._writing is not None and (stopping or counted or not self._writing.is_alive()):
            self._written()
        late = time.monotonic() - self._since >= self.config.seconds and self._writing is None
        if (stopping or counted or late) and self._kept != here:
            self._take(pool, learned, stage_run)
            self._kept = here
        if stopping and self._writing is not None:
            self._written()

    def finished(
        self, pool: ModulePool, learned: list[Learned], record: StageFinished
    ) -> tuple[str, str]:
        """Take the checkpoint at the end of a stage; it is durable on return.

        Raises:
            CheckpointError: this one or the last cannot be written.
        """
        if self._writing is not None:
            self._written()
        self._chains.on_record(record)
        return self._end(checkpoint.snapshot(pool, learned), record)

    def rival_finished(
        self, state: dict[str, Any] | None, record: StageFinished
    ) -> tuple[str, str] | None:
        """Take the checkpoint at the end of a rival's stage, if the rival keeps anything.

        Raises:
            CheckpointError: it cannot be written.
        """
        self._chains.on_record(record)
        return None if state is None else self._end(checkpoint.without_pool(state), record)

    def _end(self, taken: dict[str, Any], record: StageFinished) -> tuple[str, str]:
        """Write the checkpoint of a stage's end."""
        name = f"stage-{record.stage}"
        position = Position(record.stage, record.evaluations, 0, finished=True)
        relative = f"{folder_of(self.trial)}/{name}"
        manifest = checkpoint.write(self.store, relative, self._about(position, 0.0), taken)
        self._base = (name, manifest)
        return relative, manifest

    def abandon(self) -> None:
        """Wait for a pending write, if any, without reporting it."""
        if self._writing is not None:
            self._writing.join()
            self._writing = None

    def _begin_stage(self, stage_run: StageRun, here: tuple[int, int]) -> None:
        """The start of a stage needs no checkpoint: the previous stage's end has one."""
        self._kept = here
        self._told, self._generation = stage_run.strategy.told, stage_run.strategy.generation

    def _due(self, stage_run: StageRun) -> bool:
        """Whether enough evaluations or generations have passed since the last checkpoint."""
        strategy, config = stage_run.strategy, self.config
        told, generations = strategy.told - self._told, strategy.generation - self._generation
        return (config.evaluations is not None and told >= config.evaluations) or (
            config.generations is not None and generations >= config.generations
        )

    def _take(self, pool: ModulePool, learned: list[Learned], stage_run: StageRun) -> None:
        stage = stage_run.started.stage
        name = f"stage-{stage}-round-{stage_run.rounds}"
        relative = f"{folder_of(self.trial)}/{name}"
        progress, strategy = stage_run.progress, stage_run.strategy
        position = Position(stage, strategy.told, progress.episodes, finished=False)
        about = self._about(position, stage_run.seconds)
        taken = checkpoint.snapshot(pool, learned, stage_run)
        base = self._base

        def write() -> Checkpointed:
            manifest = checkpoint.write(self.store, relative, about, taken, base)
            return Checkpointed(self.trial.id, stage, relative, manifest)

        self._writing = _Writing(write)
        self._writing.start()
        self._told, self._generation = strategy.told, strategy.generation
        self._since = time.monotonic()

    def _written(self) -> None:
        """Wait for the pending checkpoint, and report it."""
        assert self._writing is not None
        writing, self._writing = self._writing, None
        self._emit(writing.result())

    def _about(self, position: Position, seconds: float) -> dict[str, Any]:
        return {
            "run": self.store.run,
            "arm": self.trial.arm,
            "seed": self.trial.seed,
            "stage": position.stage,
            "position": vars(position),
            "lineage": self._chains.links,
            "seconds": seconds,
        }


class _Writing(threading.Thread):
    """A pending checkpoint; a process that must exit does not wait for it."""

    def __init__(self, write: Callable[[], Checkpointed]) -> None:
        super().__init__(name="checkpoint", daemon=True)
        self._write = write
        self._record: Checkpointed | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._record = self._write()
        except BaseException as error:
            self._error = error

    def result(self) -> Checkpointed:
        """Wait, and return what was written or raise what failed."""
        self.join()
        if self._error is not None:
            raise self._error
        assert self._record is not None
        return self._record
