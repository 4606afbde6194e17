"""When a trial's checkpoints are taken, and how they are written while it goes on."""

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
    """Where a trial's checkpoints lie in the run's folder."""
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
        chains: the digest of what was told of the trial in earlier sittings.
        base: the checkpoint of the stage before, where a trial goes on within a stage.
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
        """For a trial that begins, or resumes from a checkpoint; and the state that it resumes.

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
        """Pass a record of the trial on."""
        if not isinstance(record, StageFinished):  # it was taken in before it named a checkpoint
            self._chains.on_record(record)
        self._emit(record)

    def between(
        self, pool: ModulePool, learned: list[Learned], stage_run: StageRun, stopping: bool
    ) -> None:
        """Take a checkpoint if one is due, or the trial is to stop here.

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
        """Take the checkpoint of the end of a stage; it is durable when this returns.

        Raises:
            CheckpointError: this one or the last cannot be written.
        """
        if self._writing is not None:
            self._written()
        self._chains.on_record(record)
        name = f"stage-{record.stage}"
        position = Position(record.stage, record.evaluations, 0, finished=True)
        about = self._about(position, 0.0)
        relative = f"{folder_of(self.trial)}/{name}"
        manifest = checkpoint.save(self.store, relative, about, pool, learned)
        self._base = (name, manifest)
        return relative, manifest

    def abandon(self) -> None:
        """Wait for what is being written, if anything; it is not told of."""
        if self._writing is not None:
            self._writing.join()
            self._writing = None

    def _begin_stage(self, stage_run: StageRun, here: tuple[int, int]) -> None:
        """A stage's first moment needs no checkpoint: there is the end of the one before."""
        self._kept = here
        self._told, self._generation = stage_run.strategy.told, stage_run.strategy.generation

    def _due(self, stage_run: StageRun) -> bool:
        """Whether so many evaluations or generations are over since the last checkpoint."""
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
        """Wait for the checkpoint that is being written, and tell of it."""
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
    """A checkpoint being written; a process that must end does not wait for it."""

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
        """Wait; what was written, or what went wrong."""
        self.join()
        if self._error is not None:
            raise self._error
        assert self._record is not None
        return self._record
