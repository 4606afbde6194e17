"""Opening an untrusted lineage for reading; anything else is refused before it can do harm."""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections.abc import Collection, Iterator
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from shutil import copyfile
from typing import Any

from pathnet_evo.errors import UserError
from pathnet_evo.store.migrations import migrate
from pathnet_evo.store.places import BESIDE, size_of_plain
from pathnet_evo.store.schema import SCHEMA, VERSION

LARGEST_CELL = 64 * 2**20
"""Bytes of the largest text that a lineage may hold."""
STEPS, STEPS_A_BYTE = 200_000_000, 1000
"""Steps of SQLite's machine that a query may take: so many, and more for each byte of the file.

What we ask is answered in one pass over a table, which takes less than a step a byte.
"""
EVERY = 100_000
"""Steps between looks whether a query has taken too many."""

STRANGE = re.compile(r"\b(CHECK|GENERATED|AS|COLLATE)\b", re.IGNORECASE)
"""What no table of ours has: expressions that reading would evaluate."""
KINDS = {
    "INTEGER": ("integer",),
    "REAL": ("real", "integer"),
    "TEXT": ("text",),
    "BLOB": ("blob",),
}
"""What the columns of our types hold."""


class LineageError(UserError):
    """A lineage that is none, is damaged, or was written by another version."""


class Reader(sqlite3.Connection):
    """A connection that only reads, and whose queries end."""

    steps = 0
    most = STEPS

    def bound(self, size: int) -> None:
        """Bound what a query may do, by the size of the file in bytes, and what a cell may hold."""
        self.most = STEPS + STEPS_A_BYTE * size
        self.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_CELL)
        self.set_progress_handler(self._step, EVERY)
        self.execute("PRAGMA trusted_schema=OFF")

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        """The same as ever, with steps counted from here."""
        self.steps = 0
        return super().execute(sql, parameters)

    def _step(self) -> int:
        self.steps += EVERY
        return self.steps > self.most


def open_lineage(path: Path, thorough: bool = False) -> sqlite3.Connection:
    """Open an untrusted lineage for reading, anywhere.

    It holds the tables of its version and nothing else: no views, no triggers, no expressions. One
    of an earlier version is read as a copy in memory that is brought to this one. So is one of a
    killed run where reading alone cannot bring it back: in a folder that cannot be written with
    what its ``-wal`` holds, and with its ``-journal`` if it was killed while it was closed.

    Args:
        path: the file.
        thorough: check the whole file.

    Raises:
        LineageError: no such file, not a lineage, damaged, or of a later version.
    """
    if not path.is_file():
        raise LineageError(f"{path}: no such file")
    db: sqlite3.Connection | None = None
    try:
        db = opened(path)
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version < 1:
            raise LineageError(f"{path}: not a readable lineage (it has no schema version)")
        if version > VERSION:
            raise LineageError(
                f"{path}: schema version {version} was written by a later version of pathnet-evo; "
                f"this one reads 1 to {VERSION}"
            )
        _only_tables(db, path)
        if version < VERSION:
            with closing(db):
                db = _in_memory(db)
            migrate(db, version, VERSION)
        _our_columns(db, path)
        if thorough:
            (found,) = db.execute("PRAGMA integrity_check").fetchone()
            if found != "ok":
                raise LineageError(f"{path}: damaged ({found})")
            for table, *_ in db.execute("PRAGMA foreign_key_check"):
                raise LineageError(f"{path}: damaged (orphaned rows in {table})")
            check_values(db, path)
    except (sqlite3.Error, OSError, LineageError) as error:
        if db is not None:
            db.close()
        if isinstance(error, LineageError):
            raise
        raise LineageError(f"{path}: not a readable lineage ({said(error)})") from None
    db.row_factory = sqlite3.Row
    return db


def check_values(db: sqlite3.Connection, path: Path, tables: Collection[str] | None = None) -> None:
    """Refuse a lineage with values that are not of their column's type.

    Args:
        db: the lineage.
        path: its file.
        tables: those that are to be read, which takes 1.5 s for a million rows; None is all.

    Raises:
        LineageError: which column, and what it holds.
    """
    for table, columns in _columns().items():
        if tables is not None and table not in tables:
            continue
        wrong = {name: _wrong(name, kind, needed) for name, (kind, needed) in columns.items()}
        bad = " OR ".join(wrong.values())
        if db.execute(f"SELECT 1 FROM {table} WHERE {bad} LIMIT 1").fetchone() is None:  # noqa: S608
            continue
        for name, where in wrong.items():
            found = db.execute(
                f"SELECT typeof({name}) FROM {table} WHERE {where} LIMIT 1"  # noqa: S608
            ).fetchone()
            if found is not None:
                raise LineageError(f"{path}: damaged ({table}.{name} holds an invalid {found[0]})")


def said(error: BaseException) -> str:
    """What went wrong with a query, in words."""
    text = str(error)
    return "a query took too long" if text == "interrupted" else text


def opened(path: Path) -> sqlite3.Connection:
    """A lineage as it lies there, or as a copy in memory where that alone can be read.

    Raises:
        sqlite3.Error: not a database.
        OSError: it, or a file of SQLite's beside it, cannot be read or is no plain file.
    """
    files = [path, *(path.with_name(path.name + end) for end in BESIDE)]
    sizes = {}
    for file in files:
        with suppress(FileNotFoundError):
            sizes[file] = size_of_plain(file)
    present, size = set(sizes), sum(sizes.values())
    db = _connected(path, size)
    try:
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return db
    except sqlite3.OperationalError:
        db.close()
        if not present - {path, path.with_name(f"{path.name}-shm")}:
            raise
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / path.name
            for file in present:
                if not file.name.endswith("-shm"):
                    copyfile(file, copy.with_name(file.name))
            with closing(sqlite3.connect(copy)) as whole:
                return _in_memory(whole)


def _connected(path: Path, size: int) -> Reader:
    uri = f"{path.resolve().as_uri()}?mode=ro"
    db = sqlite3.connect(uri, uri=True, isolation_level=None, factory=Reader)
    db.bound(size)
    return db


def _in_memory(db: sqlite3.Connection) -> sqlite3.Connection:
    copy = sqlite3.connect(":memory:", isolation_level=None, factory=Reader)
    db.backup(copy)
    (pages,), (size,) = (copy.execute(f"PRAGMA page_{n}").fetchone() for n in ("count", "size"))
    copy.bound(pages * size)
    return copy


def _only_tables(db: sqlite3.Connection, path: Path) -> None:
    """Refuse whatever is not a table, and tables that compute something."""
    for kind, name, sql in db.execute("SELECT type, name, sql FROM sqlite_master"):
        plain = (
            kind == "table" and re.match(r"CREATE TABLE\b", str(sql)) and not STRANGE.search(sql)
        )
        if not plain and not (kind == "index" and sql is None):
            what = "table with computed columns" if kind == "table" else kind
            raise LineageError(
                f"{path}: not a readable lineage (it contains the {what} {name!r}; "
                "a lineage contains only plain tables)"
            )


def _our_columns(db: sqlite3.Connection, path: Path) -> None:
    for table, columns in _columns().items():
        found = {name: kind for name, kind, _ in _about(db, table)}
        for name, (kind, _) in columns.items():
            if found.get(name) != kind:
                lacks = f"{table} has no column {name} of type {kind}" if found else f"no {table}"
                raise LineageError(f"{path}: not a readable lineage ({lacks})")


@cache
def _columns() -> dict[str, dict[str, tuple[str, bool]]]:
    """For each of our tables its columns, each with its type and whether it must hold something."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(SCHEMA)
        tables = [
            name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE sql NOTNULL")
        ]
        return {
            table: {name: (kind, needed) for name, kind, needed in _about(db, table)}
            for table in tables
        }


def _about(db: sqlite3.Connection, table: str) -> Iterator[tuple[str, str, bool]]:
    for row in db.execute(f"PRAGMA table_xinfo({table})"):
        _, name, kind, needed, _, key, hidden = tuple(row)
        if not hidden:
            yield name, kind, bool(needed or key)


def _wrong(name: str, kind: str, needed: bool) -> str:
    """The condition that holds for values that a column cannot have."""
    kinds = [*KINDS[kind], *([] if needed else ["null"])]
    wrong = f"typeof({name}) NOT IN ({', '.join(map(repr, kinds))})"
    return f"({wrong} AND {name} IS NOT 'nan')" if kind == "REAL" else wrong
