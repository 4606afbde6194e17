"""Removing runs, matrices and sweeps: only what is one, and never one that a process writes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pathnet_evo.analysis import series
from pathnet_evo.errors import UserError
from pathnet_evo.store.directory import is_unbegun
from pathnet_evo.store.lock import NAME, Lock
from pathnet_evo.store.places import BESIDE, FILES, FOLDERS, LINEAGE, check_own, is_plain

OURS = {*FILES, *FOLDERS, LINEAGE, *(LINEAGE + end for end in BESIDE)}


@dataclass(frozen=True)
class Removable:
    """A run, a matrix or a sweep that can be removed.

    Args:
        folder: its folder.
        runs: how many runs it holds; None for a run.
        files: how many files it has.
        size: of all of them, in bytes.
        foreign: entries that no run wrote.
        begun: whether it has anything that a run is made of.
    """

    folder: Path
    runs: int | None
    files: int
    size: int
    foreign: tuple[str, ...]
    begun: bool = True

    def __str__(self) -> str:
        also = f", with {', '.join(self.foreign)}, which the run did not write"
        holds = "" if self.runs is None else f"{self.runs} run{'s' * (self.runs != 1)}, "
        holds = holds if self.begun else "no run yet, "
        what = f"{self.folder} ({holds}{self.files} files, {self.size / 1e6:.1f} MB)"
        return what + (also if self.foreign else "")


def check_removable(folder: Path) -> Removable:
    """Refuse what ``remove`` would refuse, and say what is there.

    Raises:
        UserError: no run, a link, or a run that a process writes.
    """
    kind, runs = _check(folder)
    with _held(folder, runs):
        pass
    files = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    size = sum(path.lstat().st_size for path in files)
    foreign = {path.relative_to(folder) for run in runs for path in _foreign(run, OURS)}
    if kind is not None:
        own = {*kind.own, NAME, *(run.name for run in runs)}
        foreign |= {path.relative_to(folder) for path in _foreign(folder, own)}
    count = None if kind is None else len(runs)
    names = tuple(sorted(map(str, foreign)))
    return Removable(folder, count, len(files), size, names, begun=kind is not None or bool(runs))


def outermost(found: Iterable[Removable]) -> list[Removable]:
    """Each folder once, and none that lies in another, which removes it as well."""
    by_place: dict[Path, Removable] = {}
    for about in found:
        by_place.setdefault(about.folder.resolve(), about)
    return [about for place, about in by_place.items() if by_place.keys().isdisjoint(place.parents)]


def remove(folder: Path) -> None:
    """Remove a run, or a series with its runs.

    It is renamed first, so that what is left of it never passes for a run.

    Raises:
        UserError: no run, a link, a run that a process writes, or one that cannot be removed.
    """
    _, runs = _check(folder)
    place = folder.resolve()
    gone = place.with_name(f".{place.name}.removed-{os.getpid()}")
    with _held(folder, runs):
        try:
            os.rename(place, gone)
            shutil.rmtree(gone)
        except OSError as error:
            raise UserError(f"{error.filename}: cannot be removed ({error.strerror})") from None


def _check(folder: Path) -> tuple[series.Kind | None, list[Path]]:
    """The kind of a series, or None for a run, and the runs that would be removed.

    Raises:
        UserError: no run or series, or a link, which would remove something else.
    """
    if folder.is_symlink():
        raise UserError(f"{folder}: a link; name the run that it leads to")
    if not folder.is_dir():
        raise UserError(f"{folder}: no such run")
    kind = series.kind_of(folder)
    if kind is None and is_unbegun(folder):
        return None, []
    if kind is not None:
        kind.wanted(folder)  # refuses a configuration that cannot be read
        if not is_plain(folder / kind.evidence):
            raise UserError(
                f"{folder}: not a folder of runs (it has {kind.file}, but no file {kind.evidence})"
            )
    runs = [folder] if kind is None else series.runs_in(folder)
    for run in runs:
        _check_run(run)
    return kind, runs


def _check_run(run: Path) -> None:
    for name in ("run.toml", "about.json"):
        if not is_plain(run / name):
            raise UserError(f"{run}: not a run's folder (it has no file {name})")
    check_own(run)


def _foreign(folder: Path, own: set[str]) -> Iterator[Path]:
    yield from (folder / name for name in os.listdir(folder) if name not in own)


@contextmanager
def _held(folder: Path, runs: list[Path]) -> Iterator[None]:
    """Hold the folder and each of its runs."""
    with ExitStack() as locks:
        for place in dict.fromkeys((folder, *runs)):
            try:
                locks.callback(Lock(place).put_back)
            except OSError as error:
                raise UserError(f"{place}: cannot be written ({error.strerror})") from None
        yield
