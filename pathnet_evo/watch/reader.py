"""Reading runs in a separate process with the lowest priority."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from pathnet_evo.errors import UserError
from pathnet_evo.workers.forking import blocked
from pathnet_evo.workers.orphans import end_with_parent


def read_content(folder: Path) -> tuple[str, float]:
    """The content of a run's page, from its current lineage.

    Returns:
        The HTML, and the seconds of computing that it took.

    Raises:
        UserError: the run cannot be read.
    """
    from pathnet_evo.report.data import read_report_data
    from pathnet_evo.report.page import render_content
    from pathnet_evo.store.reading import intact

    began = time.process_time()
    try:
        data = read_report_data(folder, digested=False)
        with intact(folder / "lineage.sqlite"):
            return render_content(data), time.process_time() - began
    except (sqlite3.Error, OSError) as error:
        raise UserError(f"{folder.name}: cannot be read now ({error})") from None


@contextmanager
def reader() -> Iterator[Executor]:
    """The reader process, started now and killed at the block's end, even amid a long read."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_begin) as executor:
        others = set(multiprocessing.active_children())
        with blocked({signal.SIGINT}):
            executor.submit(int)  # starts the process before the first who asks
        try:
            yield executor
        finally:
            for process in set(multiprocessing.active_children()) - others:
                process.kill()


def _begin() -> None:
    end_with_parent()
    os.nice(19)
