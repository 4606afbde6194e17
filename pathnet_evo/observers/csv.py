"""CSV: metrics of a run as text, in its folder ``metrics/``, one file a trial."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from pydantic import PrivateAttr

from pathnet_evo.interfaces.records import StageStarted
from pathnet_evo.interfaces.run_info import RunInfo, Trial
from pathnet_evo.interfaces.summary import Summary
from pathnet_evo.interfaces.trackers import Tracker
from pathnet_evo.system.replacing import replace

COLUMNS = ("arm", "seed", "name", "step", "value")


class Csv(Tracker):
    """Writes ``metrics/ARM-SEED.csv``, a metric a row; ``Tracker`` has their names.

    A resumed run replaces what it repeats, so that no row is there twice.
    """

    _files: dict[int, TextIO] = PrivateAttr(default_factory=dict)

    def measured(self, run: RunInfo, trial: Trial, step: int, values: Mapping[str, float]) -> None:
        """Write a row for each metric."""
        rows = [
            (trial.arm, str(trial.seed), name, str(step), repr(value))
            for name, value in values.items()
        ]
        if not rows:
            return
        if trial.id not in self._files:
            path = run.folder / "metrics" / f"{trial.arm}-{trial.seed}.csv"
            self._files[trial.id] = _opened(path, before=rows[0][:4])
        file = self._files[trial.id]
        csv.writer(file).writerows(rows)
        file.flush()

    def stage_started(self, run: RunInfo, record: StageStarted) -> None:
        """Close the file: a trial whose process was lost repeats rows, which ``_opened`` cuts."""
        super().stage_started(run, record)
        if (file := self._files.pop(record.trial, None)) is not None:
            file.close()

    def run_finished(self, run: RunInfo, summary: Summary) -> None:
        """Write the metrics over all stages, and close the files."""
        super().run_finished(run, summary)
        while self._files:
            self._files.popitem()[1].close()


def _opened(path: Path, before: tuple[str, ...]) -> TextIO:
    """A file that ends where a row is to follow: what an earlier session wrote from there on goes.

    Args:
        path: the file.
        before: all but the value of the first row that is to follow.
    """
    path.parent.mkdir(exist_ok=True)
    kept = [COLUMNS]
    if path.exists():
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        whole = "".join(line for line in lines if line.endswith("\n"))
        for row in [*csv.reader(io.StringIO(whole))][1:]:
            if tuple(row[:4]) == before:
                break
            kept.append(tuple(row))
    text = io.StringIO()
    csv.writer(text).writerows(kept)
    replace(path, text.getvalue())
    return path.open("a", encoding="utf-8", newline="")
