"""The runs in a folder, their progress, and their changes."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from pathnet_evo.errors import UserError
from pathnet_evo.store.lock import holder, run_state
from pathnet_evo.store.reading import read_config, reading

FILES = ("run.toml", "about.json", "lineage.sqlite", "lineage.sqlite-wal")
"""Files that a run is read from; none may be a link."""

Signature: TypeAlias = tuple[tuple[int, int] | bool | None, ...]
"""Size and time of change of each file, and whether a process holds the run; None of it where that
is unknown. It differs once a run has gone on, or has ended however it did."""


@dataclass(frozen=True)
class Entry:
    """A run in the list.

    Args:
        name: of its folder.
        state: ``running``, ``finished`` and so on; ``unreadable`` where it is damaged.
        what: its stages, or why it cannot be read.
        share: of its budget that is used, 0 to 1.
        changed: when it last changed, seconds since 1970.
    """

    name: str
    state: str
    what: str
    share: float
    changed: float


class RunsFolder:
    """The runs directly in a folder; links lead nowhere.

    Args:
        root: the folder.
        only: the name of the one run to show; None shows all.
    """

    def __init__(self, root: Path, only: str | None = None) -> None:
        self.root = root.resolve()
        self.only = only
        self._entries: dict[str, tuple[Signature, Entry]] = {}

    def names(self) -> list[str]:
        """The names of all runs, most recently changed first."""
        found = []
        with os.scandir(self.root) as entries:
            for entry in entries:
                hidden = entry.name.startswith(".") or self.only not in (None, entry.name)
                if not hidden and entry.is_dir(follow_symlinks=False) and _whole(Path(entry.path)):
                    found.append(entry.name)
        return sorted(found, key=lambda name: -_changed(self.root / name))

    def folder(self, name: str) -> Path | None:
        """A run's folder, or None."""
        return self.root / name if name in self.names() else None

    def entries(self) -> list[Entry]:
        """Every run; unchanged runs are not read again."""
        found = []
        for name in self.names():
            now = signature(self.root / name)
            if self._entries.get(name, (None,))[0] != now:
                self._entries[name] = (now, _entry(self.root / name))
            found.append(self._entries[name][1])
        return found


def signature(folder: Path) -> Signature:
    """A stamp that changes when a run progresses or ends, without opening it."""
    held = holder(folder)
    return *(_look(folder / file) for file in FILES), None if held is None else held.alive


def _look(path: Path) -> tuple[int, int] | None:
    try:
        about = path.lstat()
    except OSError:
        return None
    return about.st_size, about.st_mtime_ns


def _whole(folder: Path) -> bool:
    """Whether a run's files exist and are regular files."""
    modes = []
    for name in FILES:
        try:
            modes.append((folder / name).lstat().st_mode)
        except OSError:
            modes.append(0)
    there = all(stat.S_ISREG(mode) for mode in (modes[0], modes[2]))
    return there and all(stat.S_ISREG(mode) for mode in modes if mode)


def _changed(folder: Path) -> float:
    looks = (_look(folder / file) for file in FILES)
    return max((seen[1] for seen in looks if seen), default=0) / 1e9


def _entry(folder: Path) -> Entry:
    changed = _changed(folder)
    try:
        config = read_config(folder)
        held = holder(folder)
        with reading(folder, ("trials", "stages")) as db:
            states = [state for (state,) in db.execute("SELECT state FROM trials")]
            done = sum(_shares(db))
            begun = db.execute("SELECT stage, task FROM stages").fetchall()
    except (UserError, sqlite3.Error) as error:
        return Entry(folder.name, "unreadable", str(error).splitlines()[0], 0.0, changed)
    names = [
        stage.called(task for number, task in begun if number == i)
        for i, stage in enumerate(config.stages)
    ]
    share = min(done / (config.n_trials * len(names)), 1.0)
    state = run_state(held, states, config.n_trials)
    return Entry(folder.name, state, " → ".join(names), share, changed)


def _shares(db: sqlite3.Connection) -> Iterator[float]:
    """The progress of each started stage."""
    for row in db.execute("SELECT trial, stage, budget, by_frames, path FROM stages").fetchall():
        if row["path"] is not None:
            yield 1.0
            continue
        counted = "sum(examples)" if row["by_frames"] else "max(evaluation) + 1"
        (used,) = db.execute(
            f"SELECT {counted} FROM evaluations WHERE trial = ? AND stage = ?",  # noqa: S608
            (row["trial"], row["stage"]),
        ).fetchone()
        yield min((used or 0) / max(row["budget"], 1), 1.0)
