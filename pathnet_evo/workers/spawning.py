"""Starting processes from somebody's script: each of them imports that script first.

A script without ``if __name__ == "__main__":`` would begin its run again in every process. So a
process that only imports it is started before there is a run, and says how that went.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from functools import cache
from pathlib import Path

from pathnet_evo.errors import UserError
from pathnet_evo.workers.forking import start

PROBE = "pathnet-evo-probe"
"""Name of the process that only imports the script."""
UNGUARDED = 78
"""Its status where the script began a run as it was imported."""
WAY_OUT = 'put what begins the run under `if __name__ == "__main__":`'


class SpawnError(UserError):
    """Processes that cannot be started from this script."""


def refuse_while_imported() -> None:
    """Begin no run in a process that is still importing its parent's script.

    Raises:
        SpawnError: this is such a process.
    """
    process = multiprocessing.current_process()
    if not getattr(process, "_inheriting", False):
        return
    if process.name == PROBE:
        os._exit(UNGUARDED)  # a fork tells of no SystemExit
    raise SpawnError(f"a process that imports the script of its parent begins no run: {WAY_OUT}")


@cache
def check_main() -> None:
    """Find out whether processes can import the script that this one runs.

    Raises:
        SpawnError: they cannot, or would begin its run again, or this process may start none.
    """
    if multiprocessing.current_process().daemon:
        raise SpawnError(
            "this process is a daemon, as those of multiprocessing.Pool are, and may not start "
            "processes: use jobs = 1 and engine inline here, or concurrent.futures"
        )
    script = _script()
    if script is None:
        return
    if not Path(script).exists() and script != _module():
        raise SpawnError(
            f"{script} cannot be imported by the processes that this run needs: save the script as "
            f"a file, and {WAY_OUT}"
        )
    status = _probe()
    if status == UNGUARDED:
        raise SpawnError(
            f"{script}: begins its run again in each process that the run needs: {WAY_OUT}"
        )
    if status:
        raise SpawnError(
            f"{script}: cannot be imported by the processes that this run needs (one ended with "
            f"status {status})"
        )


def _script() -> str | None:
    """What a process imports of this one: a file or a module; None where it is nothing."""
    main = sys.modules["__main__"]
    module = _module()
    if module is not None:
        return None if module.rpartition(".")[2] == "__main__" else module
    return getattr(main, "__file__", None)


def _module() -> str | None:
    return getattr(getattr(sys.modules["__main__"], "__spec__", None), "name", None)


def _probe() -> int:
    """Start a process that does nothing; its status."""
    process = start(_nothing, name=PROBE)
    try:
        process.join()
        return process.exitcode or 0
    finally:
        process.kill()
        process.join()


def _nothing() -> None:
    pass
