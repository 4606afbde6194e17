"""Progress of a run in a notebook: bars that are redrawn in place, and stay as they end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from pathnet_evo.interfaces.records import Record, TrialFinished, TrialStarted
from pathnet_evo.interfaces.stopping import OnRecord
from pathnet_evo.running.tracking import Following, figure
from pathnet_evo.setup.plan import Plan
from pathnet_evo.values.html import escaped
from pathnet_evo.values.stage_numbers import stage_title

EVERY = 0.5
"""Seconds between drawings."""
LAST = 4
"""Lines about finished stages to show."""


@contextmanager
def shown(plan: Plan, folder: Path, on_record: OnRecord, done: int = 0) -> Iterator[OnRecord]:
    """What takes a run's records; in a notebook, it also shows the progress.

    Args:
        plan: what is run.
        folder: where.
        on_record: takes the records.
        done: stages of all trials that were over before.
    """
    if not in_notebook():
        yield on_record
        return
    progress = NotebookProgress(plan, folder, done)

    def both(record: Record) -> object:
        progress.on_record(record)
        return on_record(record)

    try:
        yield both
    finally:
        progress.draw()


def in_notebook() -> bool:
    """Whether this code runs in the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return hasattr(shell, "kernel")


class NotebookProgress(Following):
    """Shows the progress of a run below the cell that started it.

    Args:
        plan: what is run.
        folder: where.
        done: stages of all trials that were over before.
        now: a clock, in seconds.
    """

    def __init__(
        self, plan: Plan, folder: Path, done: int = 0, now: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(plan, done)
        self.folder, self._now, self._drawn = folder, now, now()
        self.lines: list[str] = []
        self._display: Any = import_module("IPython.display")
        self._handle = self._display.display(self._html(), display_id=True)

    def on_record(self, record: Record) -> None:
        """Process a record."""
        super().on_record(record)
        changes = isinstance(record, TrialStarted | TrialFinished)
        if changes or self._now() - self._drawn >= EVERY:
            self.draw()

    def said(self, text: str) -> None:
        """Show a line about something that happens once."""
        self.lines = [*self.lines, text][-LAST:]

    def draw(self) -> None:
        """Draw it as it is now."""
        self._drawn = self._now()
        self._handle.update(self._html())

    def _html(self) -> Any:
        return self._display.HTML(self.html())

    def html(self) -> str:
        """A bar for the run and one for each trial at work."""
        rows = [_bar(f"run {self.folder}", self.share, self.overall())]
        for trial in self.running.values():
            share = trial.used / trial.budget if trial.budget else 1.0
            what = f"stage {stage_title(trial.stage, trial.task)}, generation {trial.generation}"
            said = (
                f"{100 * share:.0f} %  {what}, best {figure(trial.best)}, mean {figure(trial.mean)}"
            )
            rows.append(_bar(f"{trial.arm}, seed {trial.seed}", share, said))
        lines = "".join(f"<div>{escaped(line)}</div>" for line in self.lines)
        return f"<table>{''.join(rows)}</table>{lines}"


def _bar(name: str, share: float, text: str) -> str:
    value = round(100 * share)
    bar = f'<progress max="100" value="{value}" aria-label="{escaped(name)}"></progress>'
    named = f'<th scope="row">{escaped(name)}</th>'
    return f"<tr>{named}<td>{bar}</td><td>{escaped(text.strip())}</td></tr>"
