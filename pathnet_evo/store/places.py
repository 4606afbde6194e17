"""Locations in a run's folder: whatever a run names, nothing outside its folder is touched."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from pathnet_evo.errors import UserError
from pathnet_evo.values.names import folder_name

CHECKPOINTS = "checkpoints"
PICTURES = "pictures.json"
FILES = ("run.toml", "about.json", "lock", "summary.json", PICTURES, "report.html")
LINEAGE = "lineage.sqlite"
BESIDE = ("-wal", "-shm", "-journal")
"""Suffixes of the files that SQLite creates beside a lineage."""
FOLDERS = (CHECKPOINTS, "tensorboard", "metrics", "figures")

ENDS = re.compile(r"stage-\d{1,9}")
WITHIN = re.compile(r"stage-\d{1,9}-round-\d{1,18}")
OURS = re.compile(rf"({ENDS.pattern}|{WITHIN.pattern})(\.tmp-\d+)?")
"""Names that we create in a trial's checkpoint folder."""

LARGEST_TEXT = 64 * 2**20
"""Size limit of a run's text files, in bytes."""


class PlaceError(UserError):
    """A location that does not belong to the run; the message names it."""


def home_of(arm: str, seed: int) -> str:
    """The location of an arm's and seed's checkpoints in the run's folder.

    Raises:
        PlaceError: no folder can be called so.
    """
    try:
        return f"{CHECKPOINTS}/{folder_name(arm)}-{int(seed)}"
    except ValueError as error:
        raise PlaceError(f"arm {arm!r}, seed {seed}: {error}") from None


def checkpoint_folder(run: Path, named: object, home: str | None = None) -> Path:
    """The folder of a checkpoint that a run names.

    Args:
        run: the run's folder.
        named: what its lineage says, relative to the run's folder.
        home: the trial's folder of checkpoints; None is any trial's.

    Raises:
        PlaceError: it lies outside the run's folder, a link leads out of it, or it is not called
            as our checkpoints are.
    """
    place = Path(str(named).replace("\0", "\\0"))
    root = run.resolve()
    folder = root / place
    if place.is_absolute() or folder == root or folder.resolve() != folder:
        raise PlaceError(f"{run}: checkpoint {str(named)!r} lies outside the run's folder")
    ours = len(place.parts) == 3 and place.parts[0] == CHECKPOINTS and OURS.fullmatch(place.name)
    if not ours or (home is not None and place.parent != Path(home)):
        whose = "a run" if home is None else "this trial"
        raise PlaceError(f"{folder}: not a place for a checkpoint of {whose}")
    return folder


def remove_checkpoint(run: Path, named: object, home: str) -> None:
    """Remove an unused checkpoint; anything that cannot be removed is left for later.

    Raises:
        PlaceError: it is not one of this trial's; nothing is removed.
    """
    shutil.rmtree(checkpoint_folder(run, named, home), ignore_errors=True)


def left_in(run: Path, home: str) -> Iterator[str]:
    """Our entries in a trial's checkpoint folder, named as in the lineage."""
    folder = run.resolve() / home
    if folder.resolve() == folder and folder.is_dir():
        for path in sorted(folder.glob("stage-*")):
            if OURS.fullmatch(path.name):
                yield f"{home}/{path.name}"


def check_own(run: Path) -> None:
    """Refuse a run with links or special files in place of files to write.

    Raises:
        PlaceError: the first of them.
    """
    for path in _written(run):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            continue
        except OSError as error:
            raise PlaceError(f"{path}: cannot be inspected ({error.strerror})") from None
        folder = path.parent.name in FOLDERS or path.name in FOLDERS
        if stat.S_ISLNK(mode):
            raise PlaceError(f"{path}: a link, which this run would write through; remove it")
        if not (stat.S_ISREG(mode) or (folder and stat.S_ISDIR(mode))):
            raise PlaceError(f"{path}: neither a file nor a folder of a run")


def _written(run: Path) -> Iterator[Path]:
    """All paths that writing to a run can open."""
    yield from (run / name for name in (*FILES, LINEAGE))
    yield from (run / f"{LINEAGE}{end}" for end in BESIDE)
    for name in FOLDERS:
        yield run / name
        if (run / name).is_dir() and not (run / name).is_symlink():
            yield from sorted((run / name).iterdir())


def open_plain(path: Path) -> BufferedReader:
    """Open a regular file for reading.

    Raises:
        OSError: it is not there, or no plain file; such as a pipe that nobody writes to.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a plain file", str(path))
    return os.fdopen(descriptor, "rb")


def size_of_plain(path: Path) -> int:
    """The size of a regular file, without opening it.

    Closing a file releases all locks that the process holds on it. For a lineage, these are
    SQLite's; without them, another process could truncate what the writer has mapped into memory.

    Raises:
        OSError: the file is missing or not a regular file.
    """
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise OSError(errno.EINVAL, "not a plain file", str(path))
    return about.st_size


def is_plain(file: Path) -> bool:
    """Whether something is a file, and no link; what cannot be inspected is none."""
    try:
        return stat.S_ISREG(file.lstat().st_mode)
    except OSError:
        return False


def read_plain(path: Path, largest: int = LARGEST_TEXT) -> str:
    """The text of a file of a run.

    Raises:
        OSError: it cannot be read, is no plain file, or is larger than any that we write.
        UnicodeDecodeError: not UTF-8.
    """
    with open_plain(path) as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise OSError(errno.EFBIG, f"larger than {largest:,} bytes", str(path))
    return content.decode("utf-8")
