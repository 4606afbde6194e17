"""One writer a run."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from pathnet_evo.store import lock
from pathnet_evo.store.lock import Lock, LockError, holder

pytestmark = pytest.mark.slow

HOLD = """
import sys, time
from pathlib import Path
from pathnet_evo.store.lock import Lock
held = Lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(120)
"""

LOOK = """
import sys
from pathlib import Path
from pathnet_evo.store.lock import holder
while True:
    holder(Path(sys.argv[1]))
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the run."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_writer_is_refused_and_told_who_is_first(tmp_path, other):
    """Two processes would write one lineage, and both would be wrong."""
    with pytest.raises(LockError, match=f"process {other.pid} on {socket.gethostname()}, since 20"):
        Lock(tmp_path)
    found = holder(tmp_path)
    assert found is not None
    assert found.alive


def test_what_a_dead_process_left_is_recovered(tmp_path, other):
    """A run that was killed could not be gone on with until somebody removed a file by hand."""
    other.send_signal(signal.SIGKILL)
    other.wait()
    found = holder(tmp_path)
    assert found is not None
    assert (found.pid, found.alive) == (other.pid, False)
    mine = Lock(tmp_path)
    assert holder(tmp_path).pid == os.getpid()
    mine.release()
    assert holder(tmp_path) is None


def test_a_folder_that_was_renamed_leaves_its_successor_locked(tmp_path):
    """``rm`` would remove the lock of a run that has begun under the freed name."""
    (tmp_path / "run").mkdir()
    old = Lock(tmp_path / "run")
    (tmp_path / "run").rename(tmp_path / "gone")
    (tmp_path / "run").mkdir()
    new = Lock(tmp_path / "run")
    old.release()
    with pytest.raises(LockError):
        Lock(tmp_path / "run")
    new.release()


def test_looking_takes_a_run_from_nobody(tmp_path):
    """A live page that asks for a run's state would keep it from being resumed."""
    end, taken = time.monotonic() + 0.5, 0
    process = subprocess.Popen([sys.executable, "-c", LOOK, str(tmp_path)])
    try:
        while time.monotonic() < end:
            Lock(tmp_path).release()
            taken += 1
    finally:
        process.kill()
        process.wait()
    assert taken


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_where_there_are_no_locks_the_file_decides(tmp_path, monkeypatch, where):
    """On a file system without locks every run would be refused, or none."""

    def flock(*args):
        raise OSError(lock.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock.fcntl, "flock", flock)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    host = socket.gethostname() if where == "here" else "another-machine"
    about = {"host": host, "pid": dead.pid, "started": "2026-01-01T00:00:00+00:00"}
    (tmp_path / "lock").write_text(json.dumps(about))
    if where == "here":
        Lock(tmp_path).release()
    else:
        with pytest.raises(LockError, match="on another-machine, since 2026"):
            Lock(tmp_path)


def test_a_run_is_held_while_it_runs(drive, halfway, tmp_path):
    """The lock would be there, and nothing would ask it."""
    run = halfway.parent / "run"
    held = Lock(run)
    try:
        ended = drive(halfway.parent, "resume", "run")
    finally:
        held.release()
    assert ended.status == 2
    assert f"in use by process {os.getpid()}" in ended.out
