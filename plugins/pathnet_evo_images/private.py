"""The folder for decoded images, which nobody but this user can write."""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
from io import BufferedReader
from pathlib import Path

from pathnet_evo import cache_folder
from pathnet_evo_images.stamps import open_regular

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def private_folder() -> Path:
    """The folder, without links on the way; made if need be.

    What lies in it is believed, so nobody else may be able to put anything there: neither into it,
    nor by renaming it or a folder that it lies in. (The superuser can, always.)

    Raises:
        OSError: it cannot be had, or not for this user alone.
    """
    try:
        folder = (cache_folder() / "images").resolve()
    except RuntimeError as error:  # no home folder, or links in a circle
        raise OSError(errno.ENOENT, f"{error}") from None
    for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    if sys.platform == "win32":  # a user's folder is the user's own
        return folder
    for own in (folder, folder.parent):
        _withdraw(own)
    for each in (folder, *folder.parents):
        status = each.stat()
        if status.st_uid not in (0, os.geteuid()):
            raise OSError(errno.EPERM, f"{each} belongs to another user")
        if status.st_mode & OTHERS_WRITE and not status.st_mode & stat.S_ISVTX:
            raise OSError(errno.EPERM, f"{each} can be written by others")
    if folder.stat().st_uid != os.geteuid():
        raise OSError(errno.EPERM, f"{folder} belongs to another user")
    return folder


def open_private(file: Path) -> BufferedReader:
    """Open a file in the folder for reading.

    Raises:
        OSError: it is missing, a link, no regular file, or others wrote it or could.
    """
    opened = open_regular(file, getattr(os, "O_NOFOLLOW", 0))
    status = os.fstat(opened.fileno())
    if sys.platform != "win32" and (status.st_uid != os.geteuid() or status.st_mode & OTHERS_WRITE):
        opened.close()
        raise OSError(errno.EPERM, f"{file} can be written by others")
    return opened


def write_private(file: Path, *parts: bytes | memoryview) -> None:
    """Write a file in the folder: whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    handle, temporary = tempfile.mkstemp(prefix=f"{file.name}.tmp-", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.writelines(parts)
        os.replace(temporary, file)
    except BaseException:
        os.unlink(temporary)
        raise


def _withdraw(folder: Path) -> None:
    """Take from others the permission to write, which a lax umask gave them."""
    status = folder.stat()
    if status.st_uid == os.geteuid() and status.st_mode & OTHERS_WRITE:
        folder.chmod(stat.S_IMODE(status.st_mode) & ~OTHERS_WRITE)
