"""One writer per run: its lock, stale locks, and the state of the run that follows from them."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pathnet_evo.errors import UserError
from pathnet_evo.store.places import open_plain, read_plain

NAME = "lock"
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
    """

    host: str
    pid: int
    started: str
    alive: bool

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
        now = datetime.now(UTC).isoformat(timespec="seconds")
        about = {"host": socket.gethostname(), "pid": os.getpid(), "started": now}
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps(about).encode(), 0)

    def release(self) -> None:
        """Release the run; a lock that another process has put in its place stays."""
        with suppress(OSError):
            if self._in_place():
                self.path.unlink()
        os.close(self._descriptor)

    def _in_place(self) -> bool:
        """Whether the file that was opened is still the lock."""
        return os.path.samestat(os.fstat(self._descriptor), os.stat(self.path))

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
                return False
            found = _read(self.path)
            return found is None or (found.host == socket.gethostname() and not _runs(found.pid))
        try:  # another may have released, and so removed, the very file that was opened
            return self._in_place()
        except FileNotFoundError:
            return False


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
    return Holder(found.host, found.pid, found.started, alive)


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
        found = json.loads(read_plain(path, LARGEST))
        return Holder(str(found["host"]), int(found["pid"]), str(found["started"]), alive=False)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return pid > 0
