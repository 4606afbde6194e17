"""One process at a time: trials that start together download and decode once."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pathnet_evo.tasks import cache_folder


@contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Wait until no other process of this user holds ``name``, and hold it.

    The lock goes with its process, however that ends. Where locks cannot be had (no writable cache
    folder, Windows) nothing is held: work is then done twice, not wrong.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    file = cache_folder() / "images" / "locks" / hashlib.sha256(name.encode()).hexdigest()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = file.open("w")
    except OSError:
        yield
        return
    with handle:
        with suppress(OSError):  # a network file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
