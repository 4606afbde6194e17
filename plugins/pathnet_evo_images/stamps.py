"""Stamps: what tells that a file still holds what it held."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
import time
from collections.abc import Iterable
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

MOUNTS = Path("/proc/self/mountinfo")
"""Linux's list of mounted file systems."""
FAITHFUL = frozenset(
    (
        "bcachefs", "beegfs", "btrfs", "ceph", "ext2", "ext3", "ext4", "f2fs", "gpfs", "jfs",
        "lustre", "nfs", "nfs4", "overlay", "ramfs", "reiserfs", "tmpfs", "ubifs", "xfs", "zfs",
    )
)  # fmt: skip
"""File systems of Linux that keep inodes and a time of change that nobody can set."""
TICK_NS = 20_000_000
"""Changes at least so far apart have different times; the kernel's clock ticks every 1 to 10 ms."""
SECOND_NS = 1_000_000_000


class Stamp(NamedTuple):
    """A file's state: equal stamps mean equal content.

    Writing to a file, or putting another in its place, changes its time of change or its inode,
    even where its size and time of modification are put back. Where a file system does not keep
    both, the content's checksum is part of the stamp.

    Args:
        path: where the file is.
        size: in bytes.
        modified: time of modification in nanoseconds, which anybody can set.
        changed: time of change (ctime) in nanoseconds, which nobody can set.
        inode: the file's number in its file system.
        content: SHA-256, or nothing where the rest suffices.
    """

    path: str
    size: int
    modified: int
    changed: int
    inode: int
    content: str = ""


def stamp(file: Path | str, status: os.stat_result | None = None) -> Stamp:
    """A file's stamp.

    Args:
        file: its path; links are followed.
        status: what ``stat`` says of it, where that is known already.

    Raises:
        OSError: it cannot be read.
    """
    path = str(file)
    status = os.stat(path) if status is None else status
    content = "" if _faithful(path, status.st_dev) else file_digest(path)
    return Stamp(
        path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, content
    )


def settle(stamps: Iterable[Stamp]) -> bool:
    """Wait until no later change can have the time of one that was stamped; 1 s at most.

    Returns:
        False where that takes longer: the file system's clock is ahead.
    """
    newest = max(each.changed for each in stamps)
    tick = SECOND_NS if newest % SECOND_NS == 0 else TICK_NS
    wait = newest + tick - time.time_ns()
    if wait > SECOND_NS:
        return False
    time.sleep(max(wait, 0) / SECOND_NS)
    return True


def open_regular(file: Path | str, flags: int = 0) -> BufferedReader:
    """Open a file for reading without ever waiting for it, as a FIFO makes one wait.

    Raises:
        OSError: it is missing, unreadable or no regular file.
    """
    flags |= os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    opened = os.fdopen(os.open(file, flags), "rb")
    if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
        opened.close()
        raise OSError("not a regular file")
    return opened


def file_digest(path: str) -> str:
    """SHA-256 of a file's bytes, hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _faithful(path: str, device: int) -> bool:
    """Whether the file system of a path keeps inodes and times of change."""
    known = _known.get(device)
    if known is None:
        known = _known[device] = _keeps_change_times(path)
    return known


_known: dict[int, bool] = {}


def _keeps_change_times(path: str) -> bool:
    if sys.platform == "win32":  # there, ctime is the time of creation
        return False
    try:
        lines = MOUNTS.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:  # no Linux
        return True
    real = os.path.realpath(path)
    kind, longest = "", -1
    for line in lines:  # "36 35 98:0 /root /mount/point options - ext4 ..."; later mounts hide
        place, _, system = line.partition(" - ")
        point = _unescaped(place.split(" ")[4])
        if len(point) >= longest and (real + "/").startswith(point.rstrip("/") + "/"):
            kind, longest = system.split(" ")[0], len(point)
    return kind in FAITHFUL


def _unescaped(point: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), point)
