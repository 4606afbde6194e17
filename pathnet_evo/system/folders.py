"""Folders of the user's own, also where there is no home."""

from __future__ import annotations

import os
import stat
import tempfile
from functools import cache
from pathlib import Path


def cache_folder() -> Path:
    """Where plugins may keep what can be computed again; private to the user without a home."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return (_temporary() if base.startswith("~") else Path(base)) / "pathnet-evo"


@cache
def _temporary() -> Path:
    """A folder for temporary files that nobody else can write."""
    folder = Path(tempfile.gettempdir()) / f"pathnet-evo-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return Path(tempfile.mkdtemp(prefix="pathnet-evo-"))
    private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
    if private and found.st_uid == os.getuid():
        return folder
    return Path(tempfile.mkdtemp(prefix="pathnet-evo-"))
