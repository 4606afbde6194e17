"""Fingerprints of the data that a run's stages learned, and refusal to continue on others."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pathnet_evo.errors import UserError
from pathnet_evo.interfaces.fingerprint import Fingerprint
from pathnet_evo.interfaces.records import TaskMade
from pathnet_evo.interfaces.tasks import Task
from pathnet_evo.setup.plan import Plan
from pathnet_evo.store.checkpoint import CheckpointError, read_state

FLAG = "--accept-changed-data"


class DataError(UserError):
    """A task provides other data than the run learned; the message says what differs."""


@dataclass(frozen=True)
class Found:
    """A task's data in a trial.

    Args:
        seed: the trial's seed, on which a task may depend.
        stage: index in the sequence.
        fingerprint: what was given.
    """

    seed: int
    stage: int
    fingerprint: Fingerprint


def recorded(db: sqlite3.Connection) -> list[Found]:
    """All fingerprints of a lineage, ordered by trial and stage.

    Raises:
        ValueError: one that is damaged.
    """
    rows = db.execute(
        "SELECT seed, stage, fingerprint FROM data JOIN trials USING (trial) "
        "ORDER BY trial, stage, number"
    ).fetchall()
    return [Found(seed, stage, Fingerprint.parse(text)) for seed, stage, text in rows]


def of_trial(db: sqlite3.Connection, trial: int) -> dict[int, list[Fingerprint]]:
    """The fingerprints of each stage of a trial: the first, then accepted changes.

    Raises:
        ValueError: one that is damaged.
    """
    found: dict[int, list[Fingerprint]] = {}
    for stage, text in db.execute(
        "SELECT stage, fingerprint FROM data WHERE trial = ? ORDER BY stage, number", (trial,)
    ):
        found.setdefault(stage, []).append(Fingerprint.parse(text))
    return found


def learned_on(folder: Path, known: Mapping[int, Sequence[Fingerprint]]) -> None:
    """Check that a checkpoint's fingerprints match the lineage.

    Checkpoints that were written before there were fingerprints pass.

    Args:
        folder: the checkpoint's.
        known: what ``of_trial`` gave.

    Raises:
        CheckpointError: they were learned on other data, or what it says of that is damaged.
    """
    try:
        given = [Fingerprint.parse(text) for text in read_state(folder).get("data", [])]
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{folder}: its data are not known ({error})") from None
    for stage, found in enumerate(given):
        if found.digest not in {each.digest for each in known.get(stage, [found])}:
            raise CheckpointError(
                f"{folder}: the data of stage {stage} are not those in the lineage "
                f"({found.difference(known[stage][-1])})"
            )


@dataclass
class Ledger:
    """The data of every seed and stage so far; differences are refused, or accepted once.

    Args:
        run: the run's folder, for messages.
        found: what the lineage has.
        accept: whether changes since then are accepted.

    Attributes:
        accepted: the changes that were, each in a line.
    """

    run: Path
    found: Sequence[Found] = ()
    accept: bool = False
    accepted: list[str] = field(default_factory=list)
    _known: dict[tuple[int, int], Fingerprint] = field(init=False)
    _open: set[tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        self._known = {(each.seed, each.stage): each.fingerprint for each in self.found}
        self._open = set(self._known) if self.accept else set()

    @property
    def seeds(self) -> dict[int, int]:
        """For each started stage, the first seed that started it."""
        return {each.stage: each.seed for each in reversed(self.found)}

    def add(self, found: Sequence[Found]) -> None:
        """Take in the data of stages that were learned elsewhere."""
        for each in found:
            key = (each.seed, each.stage)
            if key not in self._known:
                self._known[key] = each.fingerprint
                self._open |= {key} if self.accept else set()

    def check(self, seed: int, stage: int, fingerprint: Fingerprint) -> None:
        """Compare a task's data with its earlier data.

        Raises:
            DataError: it differs, and is not accepted or cannot be.
        """
        before = self._known.setdefault((seed, stage), fingerprint)
        if before.digest == fingerprint.digest:
            return
        line = f"stages.{stage}.task: {fingerprint.difference(before)}"
        if not fingerprint.fits(before):
            raise DataError(
                f"{line}. The learned weights do not fit these data: restore the old data, or "
                "start a new run"
            )
        if (seed, stage) not in self._open:
            raise DataError(
                f"{line}. Restore the old data, or continue on these with `pathnet-evo resume "
                f"{self.run} {FLAG}`"
            )
        self._open.discard((seed, stage))
        self._known[seed, stage] = fingerprint
        self.accepted.append(line)

    def rehearse(self, plan: Plan) -> None:
        """Make the pool and all tasks once; compare those of stages that were begun.

        Raises:
            ConfigError: what is wrong with tasks and shapes.
            DataError: the tasks give other data than the run was learned on.
        """
        seeds = self.seeds

        def made(stage: int, task: Task) -> None:
            if stage in seeds:
                self.check(seeds[stage], stage, Fingerprint.of(task))

        plan.rehearse(made, seeds)

    def on_record(self, record: TaskMade, plan: Plan, seed: int) -> None:
        """Compare the data of a trial's task.

        Where it is the first of its seed, and not what another seed's was, it depends on the seed:
        then the other seed's task is made again, for that must still be what it was.

        Raises:
            DataError: the data changed while the run was going on.
        """
        stage, found = record.stage, record.fingerprint
        of_seed = {s: known for (s, i), known in self._known.items() if i == stage}
        if of_seed and seed not in of_seed and found not in of_seed.values():
            other = next(iter(of_seed))
            self.check(other, stage, Fingerprint.of(plan.task_of(stage, other)))
        self.check(seed, stage, found)
