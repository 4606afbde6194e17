"""Folders of runs that belong together: a matrix or a sweep."""

from __future__ import annotations

import stat
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


EVIDENCE = {matrix.FILE: matrix.RESULTS, sweep.FILE: study.FILE}
"""What only the program writes into the folder of a series, before its first run ends."""


def kind_of(folder: Path) -> str | None:
    """The file that makes a folder a series, or None; a link is none."""
    return next((name for name in OURS if is_plain(folder / name)), None)


def is_plain(file: Path) -> bool:
    """Whether something is a file, and no link; what cannot be inspected is none."""
    try:
        return stat.S_ISREG(file.lstat().st_mode)
    except OSError:
        return False


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
