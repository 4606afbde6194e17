"""Removing a run: only what is one, whole or not, and never one that a process writes."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from pathnet_evo.errors import UserError
from pathnet_evo.store.lock import Lock
from pathnet_evo.store.places import BESIDE, FILES, FOLDERS, LINEAGE, check_own

OURS = {*FILES, *FOLDERS, LINEAGE, *(LINEAGE + end for end in BESIDE)}


@dataclass(frozen=True)
class Removable:
    """A run that can be removed.

    Args:
        folder: its folder.
        files: how many files it has.
        size: of all of them, in bytes.
        foreign: entries of the folder that the run did not write.
    """

    folder: Path
    files: int
    size: int
    foreign: tuple[str, ...]

    def __str__(self) -> str:
        also = f", with {', '.join(self.foreign)}, which the run did not write"
        what = f"{self.folder} ({self.files} files, {self.size / 1e6:.1f} MB)"
        return what + (also if self.foreign else "")


def check_removable(folder: Path) -> Removable:
    """Refuse what ``remove`` would refuse, and say what is there.

    Raises:
        UserError: no run, a link, or a run that a process writes.
    """
    _check(folder)
    _held(folder).release()
    files = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    size = sum(path.lstat().st_size for path in files)
    foreign = sorted(name for name in os.listdir(folder) if name not in OURS)
    return Removable(folder, len(files), size, tuple(foreign))


def remove(folder: Path) -> None:
    """Remove a run. It is renamed first, so that what is left of it never passes for a run.

    Raises:
        UserError: no run, a link, a run that a process writes, or one that cannot be removed.
    """
    _check(folder)
    place = folder.resolve()
    gone = place.with_name(f".{place.name}.removed-{os.getpid()}")
    lock = _held(folder)
    try:
        os.rename(place, gone)
        shutil.rmtree(gone)
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be removed ({error.strerror})") from None
    finally:
        lock.release()


def _check(folder: Path) -> None:
    """Refuse what is no run, and links, which would remove something else."""
    if folder.is_symlink():
        raise UserError(f"{folder}: a link; name the run that it leads to")
    if not folder.is_dir():
        raise UserError(f"{folder}: no such run")
    for name in ("run.toml", "about.json"):
        try:
            plain = stat.S_ISREG((folder / name).lstat().st_mode)
        except OSError:
            plain = False
        if not plain:
            raise UserError(f"{folder}: not a run's folder (it has no file {name})")
    check_own(folder)


def _held(folder: Path) -> Lock:
    try:
        return Lock(folder)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror})") from None
