"""One writer per run: its lock, stale locks, and the state of the run that follows from them."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from pathnet_evo.errors import UserError
from pathnet_evo.store.places import open_plain, read_plain

Identity: TypeAlias = tuple[int, int]
"""Device and inode of a lock."""

NAME = "lock"
MOVED = "moved while running, or its lock was removed"
FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
LARGEST = 4096
"""Bytes of a lock file to read."""
TRIES, PAUSE = 20, 0.02
"""Checking whether a lock is held takes it for a moment."""


class LockError(UserError):
    """Another process is writing the run."""


@dataclass(frozen=True)
class Holder:
    """The process that holds a run, or held it.

    Args:
        host: its machine.
        pid: its process.
        started: when it took the run, in UTC.
        alive: whether it still holds it; what it left when it was killed says false.
        ending: whether it is writing its last results.
    """

    host: str
    pid: int
    started: str
    alive: bool
    ending: bool = False

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.started}"


class Lock:
    """Holds a run for this process, until ``release`` or the end of the process.

    The operating system's ``flock`` on a file decides, so that a dead process holds nothing; what
    the file says is for people. Network file systems are taken to pass locks on between machines,
    as NFS from version 4 does. Where there are no locks at all, what the file says decides: one
    of a dead process of this machine is recovered, one of another machine is not.

    Args:
        folder: the run's folder.

    Raises:
        LockError: another process holds it.
        OSError: the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        for attempt in range(TRIES):
            self._descriptor = os.open(self.path, FLAGS, 0o644)
            if self._taken():
                break
            os.close(self._descriptor)
            if attempt == TRIES - 1:
                raise LockError(
                    f"{folder}: in use by {holder(folder) or 'another process'}; wait for it, or "
                    "stop it first"
                )
            time.sleep(PAUSE)
        self._before = os.pread(self._descriptor, LARGEST, 0)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self._about = {"host": socket.gethostname(), "pid": os.getpid(), "started": now}
        self._write(json.dumps(self._about).encode())

    def _write(self, content: bytes) -> None:
        os.pwrite(self._descriptor, content, 0)  # a reader finds all of it
        os.ftruncate(self._descriptor, len(content))

    @property
    def identity(self) -> Identity:
        """What tells this lock from every other one as long as it is held."""
        return _identity(os.fstat(self._descriptor))

    def check(self) -> None:
        """Refuse to continue in a folder that is no longer the run's.

        Raises:
            LockError: the folder was moved, or its lock removed.
        """
        with suppress(OSError):  # a disk that fails now says so again when it is written
            if not is_in_place(self.path.parent, self.identity):
                raise LockError(f"{self.path.parent}: {MOVED}; resume it where it is now")

    @property
    def stale(self) -> Holder | None:
        """What a killed process left here; None after a release."""
        return _parsed(self._before)

    def end(self) -> None:
        """Announce the last results, before they are computed; see ``rebuild``."""
        self._write(json.dumps({**self._about, "ending": True}).encode())

    def put_back(self) -> None:
        """Release the run with the stale lock that was there, which says that it was killed."""
        if not self._before:
            self.release()
            return
        self._write(self._before)
        os.close(self._descriptor)

    def release(self) -> None:
        """Release the run; a lock that another process has put in its place stays."""
        with suppress(OSError):
            if is_in_place(self.path.parent, self.identity):
                self.path.unlink()
        os.close(self._descriptor)

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
                return False
            found = _read(self.path)
            return found is None or (found.host == socket.gethostname() and not _runs(found.pid))
        # another may have released, and so removed, the very file that was opened
        return is_in_place(self.path.parent, self.identity)


def is_in_place(folder: Path, identity: Identity) -> bool:
    """Whether a folder has a certain lock; also of another process, such as the run's own."""
    try:
        return _identity(os.stat(folder / NAME)) == identity
    except (FileNotFoundError, NotADirectoryError):
        return False


def _identity(about: os.stat_result) -> Identity:
    return about.st_dev, about.st_ino


def holder(folder: Path) -> Holder | None:
    """The process that holds a run, or held it when killed; None after a release."""
    path = folder / NAME
    try:
        file = open_plain(path)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        alive = False
    except BlockingIOError:
        alive = True
    except OSError:
        found = _read(path)
        alive = found is not None and (found.host != socket.gethostname() or _runs(found.pid))
    finally:
        file.close()
    found = _read(path)
    if found is None:
        return Holder("an unknown machine", 0, "an unknown time", True) if alive else None
    return Holder(found.host, found.pid, found.started, alive, found.ending)


def nobody(folder: Path) -> None:
    """The answer of ``holder`` for a run that this process is about to release."""


@contextmanager
def held(folder: Path) -> Iterator[Lock]:
    """Hold a folder of runs, and report what the file system refuses.

    Raises:
        LockError: another process holds it.
        UserError: it cannot be written.
    """
    try:
        lock = Lock(folder)
        try:
            yield lock
        finally:
            lock.release()
    except OSError as error:
        name = error.filename or folder
        raise UserError(f"{name}: cannot be written ({error.strerror})") from None


def run_state(held: Holder | None, trials: Sequence[str], expected: int) -> str:
    """The state of a run; its lock decides whether it is still running.

    Args:
        held: what ``holder`` said before the trials were read; None where nobody holds the run, or
            whoever asks does and is about to give it back.
        trials: the states of those of its trials that have begun.
        expected: how many trials there are to be.
    """
    if held is not None and held.alive:
        return "running"
    over = bool(trials) and set(trials) <= {"finished", "stopped"}
    if "running" in trials or (held is not None and not over):
        return "killed"
    if "failed" in trials:
        return "failed"
    if "interrupted" in trials or len(trials) < expected:
        return "interrupted"
    return "finished"


def _read(path: Path) -> Holder | None:
    try:
        return _parsed(read_plain(path, LARGEST))
    except (OSError, ValueError):
        return None


def _parsed(content: str | bytes) -> Holder | None:
    try:
        found = json.loads(content)
        about = (str(found["host"]), int(found["pid"]), str(found["started"]))
        return Holder(*about, alive=False, ending=bool(found.get("ending")))
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return pid > 0
