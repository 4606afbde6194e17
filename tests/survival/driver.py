"""Runs ``pathnet-evo`` in forked processes that can be made to die or fail at an exact moment.

Everything is imported once, with the modules that are named as arguments, so that a process costs
next to nothing. Reads orders from standard input, one JSON a line, and answers each with one: how
the process ended, what it said, and how many processes it left behind. A failpoint is a moment just
before or just after a file is written, synced, renamed or removed, or a transaction is committed.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import sys
import tempfile
import threading
import time
import traceback

import safetensors.torch
import torch

import pathnet_evo
import pathnet_evo.cli
import pathnet_evo.cli.progress
import pathnet_evo.cli.resume
import pathnet_evo.cli.tables
import pathnet_evo.report
from pathnet_evo.cli import main
from pathnet_evo.running import runner  # noqa: F401 - imported once, for all
from pathnet_evo.store import checkpoint


class Failpoints:
    """Counts the moments at which a process may die; at one of them it does, or fails."""

    def __init__(self, order: dict) -> None:
        self.at, self.error, self.log = order.get("at"), order.get("error"), order.get("log")
        self.signals = order.get("signals", [signal.SIGKILL])
        self.passed = 0
        self.names: list[str] = []
        self.lock = threading.RLock()

    def reach(self, name: str, before: bool) -> None:
        """Pass a failpoint; with an error, only those before something happens count."""
        if self.error is not None and not before:
            return
        with self.lock:
            self.passed += 1
            self.names.append(name)
            if self.passed != self.at:
                return
        if self.error is None:
            for number in self.signals:
                os.kill(os.getpid(), number)
                time.sleep(60 if number == signal.SIGKILL else 0.05)
            return
        raise OSError(self.error, os.strerror(self.error), "somewhere")

    def around(self, name: str, call):
        """A function with a failpoint on either side."""

        def wrapped(*args, **kwargs):
            self.reach(f"before {name}", True)
            result = call(*args, **kwargs)
            self.reach(f"after {name}", False)
            return result

        return wrapped

    def install(self) -> None:
        """Wrap what touches the disk."""
        os.fsync = self.around("fsync", os.fsync)
        os.replace = self.around("rename", os.replace)
        checkpoint.save_file = self.around("write weights", safetensors.torch.save_file)
        pathlib.Path.write_text = self.around("write text", pathlib.Path.write_text)
        pathlib.Path.mkdir = self.around("mkdir", pathlib.Path.mkdir)
        if self.error is not None:  # SQLite meets its own, and removing passes over them
            return
        shutil.rmtree = self.around("remove", shutil.rmtree)
        points = self

        class Connection(sqlite3.Connection):
            def execute(self, sql, *args):
                if not sql.startswith("COMMIT"):
                    return super().execute(sql, *args)
                points.reach("before commit", True)
                result = super().execute(sql, *args)
                points.reach("after commit", False)
                return result

        connect, ours = sqlite3.connect, {"factory": Connection}
        sqlite3.connect = lambda *args, **kwargs: connect(*args, **{**ours, **kwargs})

    def close(self) -> None:
        """Leave how often failpoints were passed."""
        if self.log:
            with open(self.log, "w") as file:
                json.dump(self.names, file)


def work(order: dict) -> int:
    """One process's whole life."""
    os.setsid()
    os.chdir(order["cwd"])
    out = os.open(order["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    torch.set_num_threads(1)
    if not order.get("report"):
        pathnet_evo.report.write_report = lambda folder, summary: folder / "report.html"
    points = Failpoints(order)
    if order.get("at") or order.get("log"):
        points.install()
    sys.argv = ["pathnet-evo", *order["arguments"]]
    status = 0
    try:
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 99
    points.close()
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def answer(order: dict) -> dict:
    """Carry an order out."""
    child = os.fork()
    if not child:
        status = 98
        try:
            status = work(order)
        finally:
            os._exit(status)
    if order.get("after") is not None:
        killer = threading.Timer(order["after"], os.kill, (child, signal.SIGKILL))
        killer.start()
    _, status = os.waitpid(child, 0)
    if order.get("after") is not None:
        killer.cancel()
    code = os.waitstatus_to_exitcode(status)
    left = _left(child)
    with open(order["out"], errors="replace") as file:
        return {"status": code, "out": file.read(), "left": left}


def _left(session: int) -> int:
    """How many processes of a session outlive its first one by more than some seconds."""
    end = time.monotonic() + 20
    while (number := sum(_session(f) == session for f in pathlib.Path("/proc").iterdir())) and (
        time.monotonic() < end
    ):
        time.sleep(0.02)
    return number


def _session(process: pathlib.Path) -> int | None:
    """The session that a living process belongs to."""
    if not process.name.isdigit():
        return None
    try:
        state, _, _, session = (process / "stat").read_text().rpartition(")")[2].split()[:4]
    except OSError:
        return None
    return None if state == "Z" else int(session)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in sys.argv[1:]:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory() as folder:  # imports what a run imports when it needs it
        stages = [f"stages.*.{setting}" for setting in ("generations=1", "task.copies=1")]
        with contextlib.redirect_stdout(sys.stderr):
            pathnet_evo.launch("digits", ["seeds=1", *stages], runs_dir=folder)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()
