"""One process at a time: trials that start together download and decode once."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pathnet_evo_images.private import private_folder


@contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Wait until no other process of this user holds ``name``, and hold it.

    The lock goes with its process, however that ends. Where locks cannot be had (no cache folder
    of this user's own, Windows) nothing is held: work is then done twice, not wrong.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    try:
        folder = private_folder() / "locks"
        folder.mkdir(mode=0o700, exist_ok=True)
        file = folder / hashlib.sha256(name.encode()).hexdigest()
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        handle = os.open(file, flags, 0o600)
    except OSError:
        yield
        return
    try:
        with suppress(OSError):  # a network file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
