"""Progress of a run: a live table, or plain lines without a terminal."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from types import TracebackType

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pathnet_evo.cli.layout import fits
from pathnet_evo.cli.picture import PoolPicture, Sparkline
from pathnet_evo.cli.terminal import cell, console
from pathnet_evo.interfaces.records import (
    EpisodesFinished,
    Evaluated,
    GenerationFinished,
    Record,
    StageStarted,
    TrialFinished,
)
from pathnet_evo.running.tracking import Following, figure
from pathnet_evo.setup.plan import Plan
from pathnet_evo.values.stage_numbers import stage_number, stage_title

PICTURES = 2
"""Number of trials whose pools are shown."""
LINE_EVERY = 10.0
"""Seconds between plain lines."""


class Detail(IntEnum):
    """How much progress to show."""

    QUIET = 0
    NORMAL = 1
    VERBOSE = 2


@dataclass
class Picture:
    """What the live table shows of a trial's stage: its pool, and its mean fitness so far."""

    pool: PoolPicture
    line: Sparkline = field(default_factory=Sparkline)


class Progress(Following):
    """Shows the progress of a run on standard error.

    Args:
        plan: what is run.
        folder: where.
        detail: how much to show.
        done: stages of all trials that were over before.
    """

    def __init__(
        self, plan: Plan, folder: Path, detail: Detail = Detail.NORMAL, done: int = 0
    ) -> None:
        super().__init__(plan, done)
        quiet = detail is Detail.QUIET
        self.verbose = detail is Detail.VERBOSE
        self.console = console(err=True, quiet=quiet)
        self.folder = folder
        self.pictures: dict[int, Picture] = {}
        self.lined = self.started
        self.finished: deque[str] = deque(maxlen=6)
        self.live: Live | None = None
        if self.console.is_terminal and not self.console.is_dumb_terminal and not quiet:
            self.live = Live(console=self.console, get_renderable=self.table, refresh_per_second=5)

    def __enter__(self) -> Progress:
        self.console.print(cell(f"run {self.folder}"), soft_wrap=True)
        if self.live:
            self.live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.live:
            self.live.stop()

    def on_record(self, record: Record) -> None:
        """Process a record."""
        super().on_record(record)
        match record:
            case StageStarted():
                self.pictures[record.trial] = Picture(PoolPicture(record.counts, record.frozen))
                self._tell(record, _started(record))
            case Evaluated():
                if record.trial in self.pictures:
                    self.pictures[record.trial].pool.add(record.evaluation.candidate.genotype)
                if record.evaluation.failed:
                    text = f"evaluation {record.number} failed: {record.evaluation.cause}"
                    self._tell(record, text)
            case GenerationFinished():
                if record.mean is not None and record.trial in self.pictures:
                    self.pictures[record.trial].line.add(record.mean)
                if self.verbose:
                    fitness = f"best {figure(record.best)}, mean {figure(record.mean)}"
                    self._tell(record, f"generation {record.generation}: {fitness}")
                else:
                    self._now_and_then(record.trial)
            case EpisodesFinished():
                self._now_and_then(record.trial)
            case TrialFinished():
                self.pictures.pop(record.trial, None)

    def said(self, text: str) -> None:
        """Show a line about something that happens once."""
        if self.live:
            self.finished.append(text)
        else:
            self.console.print(cell(text), soft_wrap=True)

    def _now_and_then(self, trial: int) -> None:
        """Print a trial's progress if there is no live table."""
        if not self.live and time.monotonic() - self.lined > LINE_EVERY:
            self.lined = time.monotonic()
            line = f"{self.overall()}  {self.what(self.running[trial])}"
            self.console.print(cell(line), soft_wrap=True)

    def _tell(self, record: StageStarted | Evaluated | GenerationFinished, text: str) -> None:
        """Print a line that only ``--verbose`` asks for."""
        if self.verbose:
            trial = self.running[record.trial]
            line = f"{trial.arm}, seed {trial.seed}: stage {stage_number(record.stage)}: {text}"
            self.console.print(cell(line), soft_wrap=True)

    def table(self) -> Group:
        """The live table."""
        table = Table(box=None, pad_edge=False, header_style="dim")
        for title in ("arm", "seed", "stage", "generation", "best", "mean", ""):
            table.add_column(title, justify="left" if title in ("arm", "stage", "") else "right")
        for trial in self.running.values():
            table.add_row(
                cell(trial.arm, style="bold"),
                str(trial.seed),
                cell(stage_title(trial.stage, trial.task)),
                str(trial.generation),
                figure(trial.best),
                figure(trial.mean),
                ProgressBar(max(trial.budget, 1), trial.used, width=16),
            )
        past = [cell(line, style="dim") for line in self.finished]
        shown = [table] if fits(table, self.console.width) else self._below_each_other()
        return Group(*past, cell(self.overall()), *shown, *self._pictures())

    def _below_each_other(self) -> list[Text]:
        """The running trials where the terminal is too narrow for a table."""
        return [
            cell(
                f"{trial.arm}, seed {trial.seed}: {stage_title(trial.stage, trial.task)}\n"
                f"  generation {trial.generation}\n"
                f"  best {figure(trial.best)}, mean {figure(trial.mean)}"
            )
            for trial in self.running.values()
        ]

    def _pictures(self) -> Iterator[Text]:
        """The pools of the first running trials: frozen #, darker for hot modules, cold a dot."""
        plain = not self.console.encoding.startswith("utf")
        for number, trial in list(self.running.items())[:PICTURES]:
            picture = self.pictures.get(number)
            if picture is not None:
                yield cell(f"{trial.arm}, seed {trial.seed}", style="dim")
                line = Text("fitness  ", style="dim").append(
                    picture.line.text(plain), style="green"
                )
                for part in (*picture.pool.lines(plain), line):
                    part.truncate(self.console.width)
                    yield part


def _started(record: StageStarted) -> str:
    """What a stage begins with."""
    frozen = sum(map(len, record.frozen))
    unit = record.unit if record.by_frames else "evaluations"
    return (
        f"{record.task}: {record.budget:,} {unit}, {frozen} of {sum(record.counts)} modules frozen"
    )
