"""A process that ends a worker and its engines with the program that wants them, and sweeps up.

Run as ``python guard.py PARENT FOLDER COMMAND ...``: starts the worker and waits until it ends or
PARENT is gone. Then every process of the worker's group is killed, the engines' shared-memory
segments are unlinked and FOLDER is deleted. There is no other way to end, so this one is always
taken. Needs nothing but the standard library.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

POLL, STARTING = 0.2, 0.02
"""Seconds between two looks at the parent, and at a worker that starts an engine: one that crashes
then leaves segments whose names nobody has noted down."""
PATIENCE = 10
"""Seconds in which killed processes must be gone."""


def main(parent: int, folder: Path, command: list[str]) -> None:
    """Guard a worker to its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop = False

    def end(*_: object) -> None:
        nonlocal stop
        stop = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, end)
    (folder / "starting").touch()
    worker = subprocess.Popen(  # noqa: S603 (our own worker)
        command, cwd=folder, process_group=0, close_fds=False
    )
    (folder / "group").write_text(str(worker.pid))
    names: set[str] = set()
    try:
        while not stop and os.getppid() == parent:
            starting = (folder / "starting").exists()
            if starting:
                names |= segments([worker.pid])
            with suppress(subprocess.TimeoutExpired):
                worker.wait(STARTING if starting else POLL)
                break
    finally:
        sweep(folder, names, worker)


def sweep(
    folder: Path, names: set[str] | None = None, worker: subprocess.Popen[bytes] | None = None
) -> None:
    """Kill the group that a folder names, unlink its segments and others, delete the folder."""
    try:
        group = int((folder / "group").read_text())
    except (OSError, ValueError):  # no worker was started, or all is swept
        group = 0
    deadline = time.monotonic() + PATIENCE
    names = (names or set()) | recorded(folder)
    while group and time.monotonic() < deadline:
        alive = members(group)
        names |= segments(alive)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
        if not alive:
            break
        time.sleep(0.01)
    if worker is not None:  # where the system does not tell who is alive
        with suppress(subprocess.TimeoutExpired):
            worker.wait(max(0.0, deadline - time.monotonic()))
    for name in names | recorded(folder):
        unlink(name)
    shutil.rmtree(folder, ignore_errors=True)


def recorded(folder: Path) -> set[str]:
    """Segments of the engines that the worker noted down."""
    with suppress(OSError):
        ids = (folder / "engines").read_text().split()
        return {f"ViZDoom{part}{i}" for i in ids for part in ("SM", "MQCtr", "MQDoom")}
    return set()


def members(group: int) -> list[int]:
    """Living processes of a group, where the system tells (Linux)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError, ValueError):
            state, _, pgrp = entry.read_text().rpartition(")")[2].split()[:3]
            if int(pgrp) == group and state != "Z":
                found.append(int(entry.parent.name))
    return found


def segments(processes: list[int]) -> set[str]:
    """The engines' segments that processes have mapped, where the system tells (Linux)."""
    found = set()
    for process in processes:
        with suppress(OSError):
            for line in Path(f"/proc/{process}/maps").read_text().splitlines():
                name = line.partition("/dev/shm/")[2]  # noqa: S108
                if name.startswith("ViZDoom"):
                    found.add(name.partition(" ")[0])
    return found


def unlink(name: str) -> None:
    """Remove a shared-memory segment."""
    import _posixshmem  # type: ignore[import-not-found,unused-ignore]

    with suppress(OSError):
        _posixshmem.shm_unlink(f"/{name}")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
