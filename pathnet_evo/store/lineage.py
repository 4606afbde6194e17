"""The lineage: every step of evolution, in one SQLite file with one writer."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from pathnet_evo.interfaces.records import (
    Checkpointed,
    EpisodesFinished,
    Evaluated,
    GenerationFinished,
    Record,
    StageFinished,
    StageResumed,
    TaskMade,
    TrialFinished,
    TrialStarted,
)
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.store.cells import plain
from pathnet_evo.store.migrations import migrate
from pathnet_evo.store.opening import LineageError, open_lineage, opened, said
from pathnet_evo.store.rows import Position, rows
from pathnet_evo.store.schema import OF_STAGES, REPEATABLE, SCHEMA, VERSION

__all__ = ["Lineage", "LineageError", "digest", "open_lineage", "plain"]


class Lineage:
    """The single writer of a run's lineage.

    A transaction is a generation or a second, whichever is rarer, and each end of a stage and each
    checkpoint. What names a checkpoint is committed with or after all that was told before it.

    Args:
        path: the file.
        resume: continue an existing lineage; else it must not exist.

    Raises:
        LineageError: it exists, or cannot be gone on with; here and in every other method, it
            cannot be written.
    """

    def __init__(self, path: Path, resume: bool = False) -> None:
        self.path = path
        if resume:
            open_lineage(path, thorough=True).close()
        elif not never_begun(path):
            raise LineageError(f"{path}: exists")
        with self._writing():
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA foreign_keys=ON")
            if resume:
                (version,) = self._db.execute("PRAGMA user_version").fetchone()
                migrate(self._db, version, VERSION)
            else:
                self._db.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version={VERSION}; COMMIT;")
        self._committed = time.monotonic()

    def write(self, record: Record) -> None:
        """Add a record of a trial."""
        with self._writing():
            self._begin()
            self._write(record)
            late = time.monotonic() - self._committed > 1
            followed = isinstance(record, Evaluated | EpisodesFinished | TaskMade)
            if not followed and (late or not isinstance(record, GenerationFinished)):
                self.commit()

    def _write(self, record: Record) -> None:
        for table, values in rows(record):
            if table == "results":
                self._update("stages", values)
            else:
                self._insert(table, values)
        match record:
            case TrialStarted():
                self._db.execute(
                    "INSERT INTO trials VALUES (?, ?, ?, 'running', NULL) "
                    "ON CONFLICT (trial) DO UPDATE SET state = 'running', error = NULL",
                    (record.trial, record.arm, record.seed),
                )
            case TaskMade():
                self._take_data(record)
            case StageResumed():
                begun = record.started
                place = {"trial": begun.trial, "stage": begun.stage}
                self._update("stages", {**place, "budget": begun.budget})
            case StageFinished():
                place = {"trial": record.trial, "stage": record.stage}
                folder, manifest = record.checkpoint or (None, None)
                self._update("stages", {**place, "checkpoint": folder, "manifest": manifest})
                usage = plain(dict(record.usage)) if record.usage else None
                self._insert("stage_times", {**place, "seconds": record.seconds, "usage": usage})
            case Checkpointed():
                self._insert("checkpoints", {"number": None, **vars(record)})
            case TrialFinished():
                self._db.execute(
                    "UPDATE trials SET state = ?, error = ? WHERE trial = ?",
                    (record.state, record.error, record.trial),
                )

    def _take_data(self, record: TaskMade) -> None:
        """Add a task's fingerprint, if it changed."""
        key, text = (record.trial, record.stage), str(record.fingerprint)
        latest = self._db.execute(
            "SELECT number, fingerprint FROM data WHERE trial = ? AND stage = ? "
            "ORDER BY number DESC LIMIT 1",
            key,
        ).fetchone()
        number, before = latest or (-1, None)
        if text != before:
            self._db.execute(
                "INSERT INTO data SELECT ?, ?, ?, count(*), ? FROM evaluations "
                "WHERE trial = ? AND stage = ?",
                (*key, number + 1, text, *key),
            )

    def configured(self, text: str) -> None:
        """Record the next content of ``run.toml``."""
        with self._writing():
            self._db.execute(
                "INSERT OR REPLACE INTO configurations VALUES (?, ?)",
                (hashlib.sha256(text.encode()).hexdigest(), text),
            )

    def retire(self, trial: int, keep: int) -> list[str]:
        """Forget all but the newest of a trial's checkpoints within stages; return their folders.

        They may be removed once this has returned.
        """
        with self._writing():
            old = self._db.execute(
                "SELECT folder FROM checkpoints WHERE trial = ? AND folder NOT IN "
                "(SELECT checkpoint FROM stages WHERE checkpoint IS NOT NULL) "
                "ORDER BY number DESC LIMIT -1 OFFSET ?",
                (trial, keep),
            ).fetchall()
            if old:
                self._begin()
                self._db.executemany("DELETE FROM checkpoints WHERE folder = ?", old)
                self.commit()
        return [folder for (folder,) in old]

    def roll_back(self, trial: int, position: Position | None) -> None:
        """Forget a trial's rows after a position; None forgets all of them."""
        nothing = Position(-1, 0, 0, True)
        here = nothing if position is None else position
        with self._writing():
            self._begin()
            for table in ("events", "times", "evaluations", "episodes", "generations", "data"):
                self._forget(table, trial, here)
            self._forget("stage_times", trial, here)
            where, values = here.within("results")
            self._db.execute(
                "UPDATE stages SET evaluations = NULL, examples = NULL, genotype = NULL, "  # noqa: S608
                "path = NULL, fitness = NULL, reused = NULL, frozen = NULL, scores = NULL, "
                f"checkpoint = NULL, manifest = NULL WHERE trial = ? AND NOT {where}",
                (trial, *values),
            )
            self._forget("stages", trial, here)
            self._db.execute(
                "UPDATE trials SET state = 'interrupted', error = NULL WHERE trial = ?", (trial,)
            )
            self.commit()

    def borrow(self, other: sqlite3.Connection, trial: Trial, stage: int) -> None:
        """Copy the rows of a trial that has not begun, up to the end of a stage.

        Args:
            other: the lineage of a run that learned the same stages.
            trial: the trial, which has the same number there.
            stage: the last stage to copy.

        Raises:
            LineageError: the rows cannot be copied; none are.
        """
        with self._writing():
            self._begin()
            try:
                self._db.execute(
                    "INSERT INTO trials VALUES (?, ?, ?, 'interrupted', NULL) "
                    "ON CONFLICT (trial) DO NOTHING",
                    (trial.id, trial.arm, trial.seed),
                )
                for table in OF_STAGES:
                    self._copy(table, other, trial, stage)
            except sqlite3.Error:
                self._db.execute("ROLLBACK")
                raise
            self.commit()

    def _copy(self, table: str, other: sqlite3.Connection, trial: Trial, stage: int) -> None:
        columns = [name for _, name, *_ in self._db.execute(f"PRAGMA table_info({table})")]
        found = other.execute(
            f"SELECT {', '.join(columns)} FROM {table} WHERE trial = ? AND stage <= ?",  # noqa: S608
            (trial.id, stage),
        )
        self._db.executemany(
            f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})",  # noqa: S608
            map(tuple, found),
        )

    def forget_checkpoint(self, folder: str) -> None:
        """Forget a checkpoint within a stage."""
        with self._writing():
            self._db.execute("DELETE FROM checkpoints WHERE folder = ?", (folder,))

    def commit(self) -> None:
        """Make all rows so far durable."""
        with self._writing():
            if self._db.in_transaction:
                self._db.execute("COMMIT")
        self._committed = time.monotonic()

    def close(self) -> None:
        """Commit, and leave a single file that opens from a read-only folder.

        Where somebody is reading it just then, the journal stays beside it.
        """
        try:
            self.commit()
            with suppress(sqlite3.OperationalError):
                self._db.execute("PRAGMA journal_mode=DELETE")
        finally:
            self._db.close()

    def abandon(self) -> None:
        """Save what can be saved after an error."""
        with suppress(LineageError, sqlite3.Error):
            self.close()

    def _begin(self) -> None:
        if not self._db.in_transaction:
            self._db.execute("BEGIN")

    def _insert(self, table: str, values: dict[str, Any]) -> None:
        columns, marks = ", ".join(values), ", ".join("?" * len(values))
        self._db.execute(
            f"INSERT INTO {table} ({columns}) VALUES ({marks})",  # noqa: S608
            tuple(values.values()),
        )

    def _update(self, table: str, values: dict[str, Any]) -> None:
        columns = ", ".join(f"{name} = :{name}" for name in values)
        self._db.execute(
            f"UPDATE {table} SET {columns} WHERE trial = :trial AND stage = :stage",  # noqa: S608
            values,
        )

    def _forget(self, table: str, trial: int, position: Position) -> None:
        where, values = position.within(table)
        self._db.execute(
            f"DELETE FROM {table} WHERE trial = ? AND NOT {where}",  # noqa: S608
            (trial, *values),
        )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LineageError(
                f"{self.path}: cannot be written ({error}); fix that, then resume with "
                f"`pathnet-evo resume {self.path.parent}`"
            ) from None


def never_begun(path: Path) -> bool:
    """Whether a lineage is missing, or was being created when its process was killed.

    Beside checkpoints or a summary it was lost instead: its trials had begun.
    """
    if (path.parent / "summary.json").exists() or any((path.parent / "checkpoints").glob("*/*")):
        return False
    if not path.exists():
        return True
    try:
        with closing(opened(path)) as db:
            (count,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            (version,) = db.execute("PRAGMA user_version").fetchone()
    except (sqlite3.Error, OSError):
        return False
    return not count and not version


def digest(path: Path) -> str:
    """SHA-256 over everything reproducible, ordered by trial, stage and evaluation; no times.

    Where a checkpoint lies is left out, and so is its manifest, which names the run.
    """
    hashed = hashlib.sha256()
    try:
        with closing(open_lineage(path)) as db:
            for line in _lines(db):
                hashed.update(line.encode())
    except (sqlite3.Error, TypeError, ValueError) as error:
        raise LineageError(f"{path}: damaged ({said(error)})") from None
    return hashed.hexdigest()


def _lines(db: sqlite3.Connection) -> Iterator[str]:
    for table, order in REPEATABLE.items():
        for row in db.execute(f"SELECT * FROM {table} ORDER BY {order}"):  # noqa: S608
            kept = {k: row[k] for k in row.keys() if k not in ("checkpoint", "manifest")}  # noqa: SIM118
            yield f"{table} {json.dumps(kept, sort_keys=True)}\n"
