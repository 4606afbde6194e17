"""Storage that all nodes share: a folder, or whatever fsspec has a URL for."""

from __future__ import annotations

import errno
import hashlib
import platform
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec

from pathnet_evo import ExecutorError, Store, on_one_line


@dataclass(frozen=True)
class Shared:
    """Checkpoints of one run on their way to its folder; see ``shared_of``.

    They lie here as long as in the run's folder, so that a trial can resume without the run's node.

    Args:
        url: of the run's own folder there.
    """

    url: str

    def upload(self, folder: Path, place: str) -> None:
        """Store the files of a folder.

        Raises:
            OSError: they cannot be stored.
        """
        with self._filesystem() as (fs, root):
            target = f"{root}/{place}"
            if fs.exists(target):
                fs.rm(target, recursive=True)
            fs.makedirs(target, exist_ok=True)
            for path in sorted(folder.iterdir()):
                fs.put_file(str(path), f"{target}/{path.name}")

    def download(self, place: str, folder: Path) -> None:
        """Bring a checkpoint's files to a folder.

        Raises:
            OSError: they cannot be had.
        """
        with self._filesystem() as (fs, root):
            for found in fs.ls(f"{root}/{place}", detail=False):
                fs.get_file(found, str(folder / found.rpartition("/")[2]))

    def has(self, place: str) -> bool:
        """Whether a checkpoint lies there."""
        with suppress(OSError), self._filesystem() as (fs, root):
            return bool(fs.isdir(f"{root}/{place}"))
        return False

    def retire(self, place: str, kept: Callable[[str], bool]) -> None:
        """Remove those of a trial that the run's folder does not keep; what remains does no harm.

        Args:
            place: any checkpoint of the trial.
            kept: whether the run's folder has one.
        """
        home = place.rpartition("/")[0]
        with suppress(OSError), self._filesystem() as (fs, root):
            for found in fs.ls(f"{root}/{home}", detail=False):
                name = str(found).rstrip("/").rpartition("/")[2]
                if not kept(f"{home}/{name}"):
                    fs.rm(found, recursive=True)

    def clear(self) -> None:
        """Remove all: the run's folder has what the run needs."""
        with suppress(OSError), self._filesystem() as (fs, root):
            if fs.exists(root):
                fs.rm(root, recursive=True)

    @contextmanager
    def _filesystem(self) -> Iterator[tuple[Any, str]]:
        with _as_oserror(self.url):
            yield _opened(self.url)


def shared_of(url: str, store: Store) -> Shared | None:
    """A run's own folder in shared storage; None if the run's folder lies there itself."""
    if "://" not in url and Path(str(store)).resolve().is_relative_to(
        Path(absolute(url)).resolve()
    ):
        return None
    whose = hashlib.sha256(f"{platform.node()}:{store}".encode()).hexdigest()[:8]
    return Shared(f"{absolute(url)}/{store.run}-{whose}")


def refusal(url: str, seen: str | None = None) -> str | None:
    """Why a storage is of no use on this node, or None.

    Args:
        url: the storage.
        seen: name of a file there that another node wrote.
    """
    try:
        with written(url), _as_oserror(url):
            if seen is not None:
                fs, path = _opened(f"{absolute(url)}/{seen}")
                if not fs.exists(path):
                    return "it is another storage there"
    except OSError as error:
        return error.strerror or str(error)
    return None


@contextmanager
def written(url: str) -> Iterator[str]:
    """A file in a storage as long as the block lasts; its name.

    Raises:
        OSError: nothing can be written there.
    """
    name = f".pathnet-evo-{secrets.token_hex(8)}"
    with _as_oserror(url):
        fs, path = _opened(f"{absolute(url)}/{name}")
        fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        fs.pipe_file(path, b"")
    try:
        yield name
    finally:
        with suppress(OSError), _as_oserror(url):
            fs.rm_file(path)


def check_writable(url: str) -> None:
    """Write something to a storage from here.

    Raises:
        ExecutorError: it cannot be written.
    """
    if reason := refusal(url):
        raise ExecutorError(f"store {url}: cannot be written here ({reason})")


def absolute(url: str) -> str:
    """The same storage, whatever the working directory and the user's home."""
    return url.rstrip("/") if "://" in url else str(Path(url).expanduser().absolute())


def _opened(url: str) -> tuple[Any, str]:
    fs, path = fsspec.core.url_to_fs(url)
    return fs, str(path)


@contextmanager
def _as_oserror(url: str) -> Iterator[None]:
    """Turn whatever a file system raises into what stores raise."""
    try:
        yield
    except OSError as error:
        if error.strerror is None:
            raise OSError(errno.EIO, on_one_line(str(error)), url) from None
        raise
    except Exception as error:  # each service has its own
        text = on_one_line(f"{type(error).__name__}: {error}")
        raise OSError(errno.EIO, text, url) from None
