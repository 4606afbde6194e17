"""The lineage: everything that evolution did, in one SQLite file with one writer."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from pathnet_evo.errors import UserError
from pathnet_evo.records import (
    EpisodesFinished,
    Evaluated,
    FrontFound,
    GenerationFinished,
    Record,
    Saturated,
    StageFinished,
    StageStarted,
    TrialFinished,
    TrialStarted,
)

VERSION = 1
"""Version of the schema, kept in SQLite's ``user_version``."""

SCHEMA = """
CREATE TABLE trials (
  trial INTEGER PRIMARY KEY, arm TEXT NOT NULL, seed INTEGER NOT NULL,
  state TEXT NOT NULL, error TEXT
);
CREATE TABLE stages (
  trial INTEGER NOT NULL REFERENCES trials, stage INTEGER NOT NULL, task TEXT NOT NULL,
  budget INTEGER NOT NULL, by_frames INTEGER NOT NULL, chance REAL,
  counts TEXT NOT NULL, fitness_name TEXT NOT NULL, unit TEXT NOT NULL,
  population TEXT NOT NULL, frozen_before TEXT NOT NULL,
  evaluations INTEGER, examples INTEGER, genotype TEXT, path TEXT, fitness REAL,
  reused TEXT, frozen TEXT, scores TEXT, checkpoint TEXT, manifest TEXT,
  PRIMARY KEY (trial, stage)
) WITHOUT ROWID;
CREATE TABLE evaluations (
  trial INTEGER NOT NULL, stage INTEGER NOT NULL, evaluation INTEGER NOT NULL,
  generation INTEGER NOT NULL, candidate INTEGER NOT NULL, place INTEGER NOT NULL,
  genotype TEXT NOT NULL, parent INTEGER, batches INTEGER NOT NULL,
  fitness REAL, state TEXT NOT NULL, cause TEXT, examples INTEGER NOT NULL, metrics TEXT NOT NULL,
  PRIMARY KEY (trial, stage, evaluation),
  FOREIGN KEY (trial, stage) REFERENCES stages
) WITHOUT ROWID;
CREATE TABLE episodes (
  trial INTEGER NOT NULL, stage INTEGER NOT NULL, episode INTEGER NOT NULL,
  candidate INTEGER NOT NULL, place INTEGER NOT NULL,
  score REAL NOT NULL, frames INTEGER NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (trial, stage, episode),
  FOREIGN KEY (trial, stage) REFERENCES stages
) WITHOUT ROWID;
CREATE TABLE events (
  trial INTEGER NOT NULL, stage INTEGER NOT NULL, evaluation INTEGER NOT NULL,
  number INTEGER NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL,
  PRIMARY KEY (trial, stage, evaluation, number),
  FOREIGN KEY (trial, stage) REFERENCES stages
) WITHOUT ROWID;
CREATE TABLE generations (
  trial INTEGER NOT NULL, stage INTEGER NOT NULL, generation INTEGER NOT NULL,
  evaluations INTEGER NOT NULL, best REAL, mean REAL, diversity TEXT,
  PRIMARY KEY (trial, stage, generation),
  FOREIGN KEY (trial, stage) REFERENCES stages
) WITHOUT ROWID;
CREATE TABLE times (
  trial INTEGER NOT NULL, stage INTEGER NOT NULL, evaluation INTEGER NOT NULL,
  seconds REAL NOT NULL,
  PRIMARY KEY (trial, stage, evaluation)
) WITHOUT ROWID;
CREATE TABLE stage_times (
  trial INTEGER NOT NULL, stage INTEGER NOT NULL, seconds REAL NOT NULL,
  PRIMARY KEY (trial, stage)
) WITHOUT ROWID;
"""

REPEATABLE = {
    "trials": "trial",
    "stages": "trial, stage",
    "evaluations": "trial, stage, evaluation",
    "episodes": "trial, stage, episode",
    "events": "trial, stage, evaluation, number",
    "generations": "trial, stage, generation",
}
"""Tables that must be equal in equal runs, and their order; times are kept apart."""


class LineageError(UserError):
    """A lineage that is none, is damaged, or was written by another version."""


class Lineage:
    """The one writer of a run's lineage.

    A transaction is a generation or a second, whichever is rarer, and each end of a stage.

    Args:
        path: the file, which must not exist.
    """

    def __init__(self, path: Path) -> None:
        if path.exists():
            raise LineageError(f"{path}: exists")
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA foreign_keys=ON")
        self._db.executescript(SCHEMA + f"PRAGMA user_version={VERSION};")
        self._committed = time.monotonic()

    def write(self, record: Record) -> None:
        """Add what a trial told."""
        if not self._db.in_transaction:
            self._db.execute("BEGIN")
        match record:
            case TrialStarted():
                row = (record.trial, record.arm, record.seed)
                self._db.execute("INSERT INTO trials VALUES (?, ?, ?, 'running', NULL)", row)
            case StageStarted():
                self._start_stage(record)
            case Evaluated():
                self._add_evaluation(record)
            case EpisodesFinished():
                for number, episode in enumerate(record.episodes, record.number):
                    values = (record.trial, record.stage, number, *vars(episode).values())
                    self._insert("episodes", *values)
            case GenerationFinished():
                found = plain(dict(record.diversity)) if record.diversity else None
                self._insert("generations", *[*vars(record).values()][:-1], found)
            case Saturated():
                place = (record.trial, record.stage, -1, record.layer)
                self._insert("events", *place, "saturation", plain(vars(record)))
            case FrontFound():
                place = (record.trial, record.stage, record.evaluations, 0)
                found = plain({**vars(record.front), "chosen": record.chosen})
                self._insert("events", *place, "front", found)
            case StageFinished():
                self._finish_stage(record)
            case TrialFinished():
                self._db.execute(
                    "UPDATE trials SET state = ?, error = ? WHERE trial = ?",
                    (record.state, record.error, record.trial),
                )
        late = time.monotonic() - self._committed > 1
        frequent = isinstance(record, Evaluated | EpisodesFinished)
        if not frequent and (late or not isinstance(record, GenerationFinished)):
            self.commit()

    def commit(self) -> None:
        """Make what was written so far durable."""
        if self._db.in_transaction:
            self._db.execute("COMMIT")
        self._committed = time.monotonic()

    def close(self) -> None:
        """Commit, and leave one plain file that opens from a read-only folder.

        Where somebody is reading it just then, the journal stays beside it.
        """
        self.commit()
        with suppress(sqlite3.OperationalError):
            self._db.execute("PRAGMA journal_mode=DELETE")
        self._db.close()

    def _insert(self, table: str, *values: Any) -> None:
        marks = ", ".join("?" * len(values))
        self._db.execute(f"INSERT INTO {table} VALUES ({marks})", values)  # noqa: S608

    def _start_stage(self, record: StageStarted) -> None:
        self._db.execute(
            "INSERT INTO stages (trial, stage, task, budget, by_frames, chance, counts, "
            "fitness_name, unit, population, frozen_before) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                record.trial,
                record.stage,
                record.task,
                record.budget,
                record.by_frames,
                record.chance,
                plain(record.counts),
                record.fitness_name,
                record.unit,
                plain(record.population),
                plain(record.frozen),
            ),
        )

    def _add_evaluation(self, record: Evaluated) -> None:
        key = (record.trial, record.stage, record.number)
        done = record.evaluation
        candidate = done.candidate
        self._insert(
            "evaluations",
            *key,
            record.generation,
            candidate.id,
            candidate.place,
            plain(candidate.genotype),
            candidate.parent,
            candidate.batches,
            done.fitness,
            done.state,
            done.cause,
            done.examples,
            plain(dict(done.metrics)),
        )
        self._insert("times", *key, done.seconds)
        for number, replacement in enumerate(record.replacements):
            self._insert("events", *key, number, "replacement", plain(vars(replacement)))
        for number, copied in enumerate(record.copied, len(record.replacements)):
            self._insert("events", *key, number, "duplication", plain(vars(copied)))

    def _finish_stage(self, record: StageFinished) -> None:
        checkpoint, manifest = record.checkpoint or (None, None)
        self._db.execute(
            "UPDATE stages SET evaluations = ?, examples = ?, genotype = ?, path = ?, fitness = ?, "
            "reused = ?, frozen = ?, scores = ?, checkpoint = ?, manifest = ? "
            "WHERE trial = ? AND stage = ?",
            (
                record.evaluations,
                record.examples,
                plain(record.genotype),
                plain(record.path),
                record.fitness,
                plain(record.reused),
                plain(record.frozen),
                plain(record.scores),
                checkpoint,
                manifest,
                record.trial,
                record.stage,
            ),
        )
        self._insert("stage_times", record.trial, record.stage, record.seconds)


def plain(value: Any) -> str:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"))


def open_lineage(path: Path) -> sqlite3.Connection:
    """Open a lineage to read.

    Raises:
        LineageError: no such file, not a lineage, or of another version.
    """
    if not path.is_file():
        raise LineageError(f"{path}: no such file")
    try:
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        (version,) = db.execute("PRAGMA user_version").fetchone()
        db.execute("SELECT count(*) FROM trials").fetchone()
    except sqlite3.Error as error:
        raise LineageError(f"{path}: not a lineage that can be read ({error})") from None
    if version != VERSION:
        db.close()
        raise LineageError(f"{path}: schema version {version}, but this reads {VERSION}")
    db.row_factory = sqlite3.Row
    return db


def digest(path: Path) -> str:
    """SHA-256 over all that must repeat, ordered by trial, stage and evaluation; no times.

    Where a checkpoint lies is left out, and so is its manifest, which names the run.
    """
    with closing(open_lineage(path)) as db:
        hashed = hashlib.sha256()
        for line in _lines(db):
            hashed.update(line.encode())
    return hashed.hexdigest()


def _lines(db: sqlite3.Connection) -> Iterator[str]:
    for table, order in REPEATABLE.items():
        for row in db.execute(f"SELECT * FROM {table} ORDER BY {order}"):  # noqa: S608
            kept = {k: row[k] for k in row.keys() if k not in ("checkpoint", "manifest")}  # noqa: SIM118
            yield f"{table} {json.dumps(kept, sort_keys=True)}\n"
