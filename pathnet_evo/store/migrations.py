"""Migrations of lineages from earlier versions."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping


def _keep_checkpoints(db: sqlite3.Connection) -> None:
    """Version 2 adds checkpoints within stages, and the run's configurations."""
    db.execute(
        "CREATE TABLE checkpoints (number INTEGER PRIMARY KEY, trial INTEGER NOT NULL "
        "REFERENCES trials, stage INTEGER NOT NULL, folder TEXT NOT NULL UNIQUE, "
        "manifest TEXT NOT NULL)"
    )
    db.execute("CREATE TABLE configurations (sha256 TEXT PRIMARY KEY, toml TEXT NOT NULL)")


def _keep_fingerprints(db: sqlite3.Connection) -> None:
    """Version 3 adds fingerprints of each stage's data."""
    db.execute(
        "CREATE TABLE data (trial INTEGER NOT NULL REFERENCES trials, stage INTEGER NOT NULL, "
        "number INTEGER NOT NULL, evaluation INTEGER NOT NULL, fingerprint TEXT NOT NULL, "
        "PRIMARY KEY (trial, stage, number)) WITHOUT ROWID"
    )


def _keep_usage(db: sqlite3.Connection) -> None:
    """Version 4 adds how each stage's evaluations ran on workers."""
    db.execute("ALTER TABLE stage_times ADD COLUMN usage TEXT")


MIGRATIONS: Mapping[int, Callable[[sqlite3.Connection], None]] = {
    1: _keep_checkpoints,
    2: _keep_fingerprints,
    3: _keep_usage,
}
"""The migration from each earlier schema version to the next."""


def migrate(db: sqlite3.Connection, version: int, wanted: int) -> None:
    """Migrate a lineage to a version, in one transaction."""
    db.execute("BEGIN IMMEDIATE")
    try:
        for step in range(version, wanted):
            MIGRATIONS[step](db)
        db.execute(f"PRAGMA user_version={wanted}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
