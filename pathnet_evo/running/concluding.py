"""A run's results in its folder: written when it ends, or rebuilt, and never over newer ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from pathnet_evo.analysis.summary import summarise
from pathnet_evo.interfaces.summary import Summary
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.running.observing import Observers
from pathnet_evo.setup.plan import Plan
from pathnet_evo.store.lock import Holder, Lock, LockError, holder, nobody
from pathnet_evo.store.reading import RunError
from pathnet_evo.system.replacing import replace, replace_all

SUMMARY = "summary.json"


def conclude(
    folder: Path, lock: Lock, plan: Plan, registry: Registry, observers: Observers, whole: bool
) -> None:
    """Write what came out; of a run that was stopped, only what takes no time.

    Raises:
        LockError: the folder was moved.
        RunError: something cannot be written.
    """
    from pathnet_evo.report import write_report
    from pathnet_evo.running.picturing import picture

    with refusals(folder, "`pathnet-evo report` writes what is missing"):
        lock.check()
        lock.end()
        summary = summarise(folder, nobody)
        replace(folder / SUMMARY, text(summary))
        observers.finished(summary)
        try:
            if whole:
                picture(folder, plan, registry)
        finally:  # after Ctrl-C as well
            lock.check()
            write_report(folder, summary)


def text(summary: Summary) -> str:
    """The content of ``summary.json``."""
    return json.dumps(summary, indent=1) + "\n"


def rebuild(folder: Path, compute: Callable[[Holder | None], Mapping[Path, str | bytes]]) -> None:
    """Write files that follow from what a run has so far.

    Where a process holds the run, its last results stay: they are announced before they are
    computed (``Lock.end``), so they follow whatever was written while they were not. Where they are
    announced, this waits for its end.

    Args:
        folder: the run's folder, or that of a matrix or a sweep.
        compute: the files, from the process that holds the run or was killed.

    Raises:
        OSError: a file cannot be written.
    """
    while True:
        with suppress(LockError):
            lock = Lock(folder)
            try:
                replace_all(compute(lock.stale))
            finally:
                lock.put_back()
            return
        held = holder(folder)
        if held is None or not held.alive or held.ending:
            continue
        contents = compute(held)
        if holder(folder) == held:
            replace_all(contents)
            if holder(folder) == held:
                return


@contextmanager
def refusals(folder: Path, way_out: str = "") -> Iterator[None]:
    """What the file system refuses, as one line."""
    try:
        yield
    except OSError as error:
        line = f"{error.filename or folder}: cannot be written ({error.strerror})"
        raise RunError(f"{line}; {way_out}" if way_out else line) from None
