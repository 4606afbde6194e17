"""The first stage of a trial, taken over from another run that has learned the same."""

from __future__ import annotations

import sqlite3
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from shutil import copyfile

from pathnet_evo.errors import UserError
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.interfaces.storage import ResumePoint, Store
from pathnet_evo.setup.plan import Plan
from pathnet_evo.store import directory
from pathnet_evo.store.changes import same_beginning
from pathnet_evo.store.checkpointer import folder_of
from pathnet_evo.store.lineage import Lineage, open_lineage
from pathnet_evo.store.places import checkpoint_folder, is_plain, read_plain, remove_checkpoint
from pathnet_evo.store.resuming import position_of

FIRST = 0


def take_over(
    plan: Plan, lineage: Lineage, store: Store, trials: Iterable[Trial], others: Sequence[Path]
) -> dict[int, tuple[ResumePoint, Path]]:
    """Begin trials with the first stage of another run, if it was learned there already.

    At equal seeds the first stage does not depend on what follows it. Its rows are copied, and its
    checkpoint, once all its bytes are verified. What cannot be taken over is learned.

    Args:
        plan: the run's.
        lineage: the writer of the run.
        store: the run's checkpoints.
        trials: those that have not begun.
        others: folders of runs, or of runs to be.

    Returns:
        By the trial's number, where it resumes, and whose stage it was.
    """
    run, found = lineage.path.parent, dict[int, tuple[ResumePoint, Path]]()
    left = [*trials]
    for other in others:
        left = [trial for trial in left if trial.id not in found]
        if not left:
            break
        with _lineage_of(other, plan, run) as db:
            if db is None:
                continue
            for trial in left:
                if (start := _learned(other, db, trial)) is None:
                    continue
                try:
                    remove_checkpoint(run, start.place, folder_of(trial))
                    _copy(checkpoint_folder(other, start.place), store, start.place)
                    lineage.borrow(db, trial, FIRST)
                except (OSError, UserError):
                    continue
                found[trial.id] = start, other
    return found


@contextmanager
def _lineage_of(other: Path, plan: Plan, run: Path) -> Iterator[sqlite3.Connection | None]:
    """The lineage of a run with the same first stage, as it is at one moment."""
    try:
        config = tomllib.loads(read_plain(other / "run.toml"))
        same = same_beginning(config, tomllib.loads(directory.toml(plan)))
        same = same and directory.same_machine(other, run)
        db = open_lineage(other / "lineage.sqlite", thorough=True) if same else None
        if db is not None:
            db.execute("BEGIN")
    except (OSError, ValueError, UserError, sqlite3.Error):
        db = None
    if db is None:
        yield None
    else:
        with closing(db):
            yield db


def _learned(other: Path, db: sqlite3.Connection, trial: Trial) -> ResumePoint | None:
    """The checkpoint at the end of a trial's first stage, if it is whole."""
    try:
        row = db.execute(
            "SELECT checkpoint, manifest FROM stages JOIN trials USING (trial) WHERE trial = ? "
            "AND arm = ? AND seed = ? AND stage = ? AND path IS NOT NULL AND checkpoint NOT NULL",
            (trial.id, trial.arm, trial.seed, FIRST),
        ).fetchone()
        if row is None:
            return None
        start = ResumePoint(*row)
        position = position_of(other, db, trial, start)
    except (sqlite3.Error, OSError, UserError):
        return None
    return start if (position.stage, position.finished) == (FIRST, True) else None


def _copy(source: Path, store: Store, place: str) -> None:
    """Copy a checkpoint's files."""

    def fill(target: Path) -> None:
        for file in source.iterdir():
            if is_plain(file):
                copyfile(file, target / file.name)

    store.put(place, fill)
