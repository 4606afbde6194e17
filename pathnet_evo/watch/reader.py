"""Reading runs in a separate process with the lowest priority."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from pathnet_evo.errors import UserError
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


def reader() -> ProcessPoolExecutor:
    """The reader process; it ends with this one, and the server never waits for it."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, mp_context=context, initializer=_begin)


def _begin() -> None:
    end_with_parent()
    os.nice(19)
