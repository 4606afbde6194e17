"""Files that are replaced whole: whoever reads one finds the old content or the new."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path


def replace(path: Path, content: str | bytes) -> None:
    """Replace a file atomically and durably."""
    replace_all({path: content})


def replace_all(contents: Mapping[Path, str | bytes]) -> None:
    """Replace files durably, each atomically, and none unless all of them could be written.

    Raises:
        OSError: one cannot be written; ``filename`` is that file.
    """
    temporaries = {path: path.with_name(f".{path.name}.tmp-{os.getpid()}") for path in contents}
    try:
        for path, temporary in temporaries.items():
            _check_replaceable(path)
            _write(path, temporary, contents[path])
        for path, temporary in temporaries.items():
            os.replace(temporary, path)
        sync({path.parent for path in contents})
    finally:
        for temporary in temporaries.values():
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _check_replaceable(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a plain file", str(path))


def _write(path: Path, temporary: Path, content: str | bytes) -> None:
    try:
        temporary.unlink(missing_ok=True)
        with temporary.open("xb") as file:
            file.write(content.encode(errors="replace") if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        error.filename = str(path)
        raise


def sync(paths: Iterable[Path]) -> None:
    """Make files and folders durable."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
