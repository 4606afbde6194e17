"""Folders of runs that belong together: a matrix or a sweep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pathnet_evo.analysis import matrix, study, sweep
from pathnet_evo.setup.sweeps import recorded_sweep
from pathnet_evo.store.places import BESIDE, is_plain


@dataclass(frozen=True)
class Kind:
    """A kind of series.

    Args:
        name: what readers call it.
        file: the file that makes a folder one.
        results: the file with its results.
        evidence: a file that only the program writes, before the first run ends.
        own: all its files beside its runs.
        wanted: how many runs a folder is to have; raises a ``UserError`` if it does not say.
    """

    name: str
    file: str
    results: str
    evidence: str
    own: frozenset[str]
    wanted: Callable[[Path], int]


MATRIX = Kind(
    name="matrix",
    file=matrix.FILE,
    results=matrix.RESULTS,
    evidence=matrix.RESULTS,
    own=frozenset({matrix.FILE, matrix.RESULTS, matrix.PAGE}),
    wanted=lambda folder: len(matrix.pairs(matrix.recorded(folder))),
)
SWEEP = Kind(
    name="sweep",
    file=sweep.FILE,
    results=sweep.RESULTS,
    evidence=study.FILE,
    own=frozenset(
        {sweep.FILE, sweep.RESULTS, sweep.TABLE, sweep.PAGE}
        | {study.FILE + end for end in ("", *BESIDE)}
    ),
    wanted=lambda folder: recorded_sweep(folder / sweep.FILE).settings.trials,
)


def kind_of(folder: Path) -> Kind | None:
    """The kind of a series, or None; a link makes none."""
    return next((kind for kind in (MATRIX, SWEEP) if is_plain(folder / kind.file)), None)


def runs_in(folder: Path) -> list[Path]:
    """The folders of a series' runs, by name."""
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
    return [path for path in inside if (path / "run.toml").exists()]
