"""Folders of runs that belong together: a matrix or a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pathnet_evo.analysis import matrix, study, sweep
from pathnet_evo.setup.sweeps import recorded_sweep

OURS: Mapping[str, frozenset[str]] = {
    matrix.FILE: frozenset({matrix.FILE, matrix.RESULTS, matrix.PAGE}),
    sweep.FILE: frozenset(
        {sweep.FILE, sweep.RESULTS, sweep.TABLE, sweep.PAGE}
        | {study.FILE + end for end in ("", "-journal", "-wal", "-shm")}
    ),
}
"""The files of a series beside its runs, by the one that says what it is."""


def kind_of(folder: Path) -> str | None:
    """The file that makes a folder a series, or None; a link is none."""
    for name in OURS:
        if (folder / name).is_file() and not (folder / name).is_symlink():
            return name
    return None


def runs_in(folder: Path) -> list[Path]:
    """The folders of a series' runs, by name."""
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
    return [path for path in inside if (path / "run.toml").exists()]


def wanted(folder: Path) -> int:
    """How many runs a series will have.

    Raises:
        UserError: its configuration cannot be read.
    """
    if kind_of(folder) == matrix.FILE:
        return len(matrix.pairs(matrix.recorded(folder)))
    return recorded_sweep(folder / sweep.FILE).settings.trials
