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
    NotScored,
    Record,
    Saturated,
    StageFinished,
    StageResumed,
    StageStarted,
    TrialFinished,
    TrialLost,
    TrialStarted,
)
from pathnet_evo.setup.plan import Plan

SMOOTHED = 20
"""Generations over which the displayed mean fitness is averaged."""
PICTURES = 2
"""Number of trials whose pools are shown."""
LARGE = 1e7
"""Numbers from here on are shown with an exponent."""
LINE_EVERY = 10.0
"""Seconds between plain lines."""


class Detail(IntEnum):
    """How much progress to show."""

    QUIET = 0
    NORMAL = 1
    VERBOSE = 2


@dataclass
class Running:
    """A trial at work."""

    arm: str
    seed: int
    task: str = ""
    stage: int = 0
    budget: int = 1
    by_frames: bool = False
    episodic: bool = False
    examples: int = 0
    generation: int = 0
    evaluations: int = 0
    best: float | None = None
    means: deque[float] = field(default_factory=lambda: deque(maxlen=SMOOTHED))
    pool: PoolPicture | None = None
    line: Sparkline = field(default_factory=Sparkline)

    @property
    def used(self) -> int:
        """How much of the budget is used."""
        return min(self.examples if self.by_frames else self.evaluations, self.budget)

    @property
    def mean(self) -> float | None:
        """Mean fitness of the last generations."""
        return sum(mean / len(self.means) for mean in self.means) if self.means else None


class Progress:
    """Follows the records of a run on standard error.

    Args:
        plan: what is run.
        folder: where.
        detail: how much to show.
        done: stages of all trials that were over before.

    Attributes:
        errors: why trials failed.
    """

    def __init__(
        self, plan: Plan, folder: Path, detail: Detail = Detail.NORMAL, done: int = 0
    ) -> None:
        quiet = detail is Detail.QUIET
        self.verbose = detail is Detail.VERBOSE
        self.console = console(err=True, quiet=quiet)
        self.folder = folder
        self.errors: list[str] = []
        self.running: dict[int, Running] = {}
        self.total = len(plan.stages) * len(plan.trials)
        self.done = self.before = done
        self.examples = 0
        self.unit = "examples"
        self.started = self.lined = time.monotonic()
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
        match record:
            case TrialStarted():
                self.running[record.trial] = Running(record.arm, record.seed)
            case StageStarted():
                trial, self.unit = self.running[record.trial], record.unit
                self.running[record.trial] = Running(
                    trial.arm,
                    trial.seed,
                    record.task,
                    record.stage,
                    record.budget,
                    record.by_frames,
                    pool=PoolPicture(record.counts, record.frozen),
                )
                self._tell(record, _started(record))
            case StageResumed():
                begun = record.started
                self.on_record(begun)
                trial = self.running[begun.trial]
                trial.evaluations, trial.examples = record.evaluations, record.examples
            case TrialLost():
                trial = self.running[record.trial]
                self._line(f"{trial.arm}, seed {trial.seed}: {record}")
            case Saturated() | NotScored():
                trial = self.running[record.trial]
                self._line(f"{trial.arm}, seed {trial.seed}: stage {trial.stage}: {record}")
            case Evaluated():
                trial = self.running[record.trial]
                trial.evaluations = record.number + 1
                if trial.pool:
                    trial.pool.add(record.evaluation.candidate.genotype)
                if not trial.episodic:
                    self._used(trial, trial.examples + record.evaluation.examples)
                if record.evaluation.failed:
                    text = f"evaluation {record.number} failed: {record.evaluation.cause}"
                    self._tell(record, text)
            case EpisodesFinished():
                trial = self.running[record.trial]
                trial.episodic = True
                self._used(trial, record.used)
                self._now_and_then(trial)
            case GenerationFinished():
                self._generation(record)
            case StageFinished():
                self._stage(record)
            case TrialFinished():
                trial = self.running.pop(record.trial)
                if record.error:
                    error = f"{trial.arm}, seed {trial.seed}, stage {trial.stage}: {record.error}"
                    self.errors.append(error)
                    self._line(error)

    def _used(self, trial: Running, examples: int) -> None:
        """Count examples or frames; episodes report everything used."""
        more = max(examples - trial.examples, 0)
        self.examples += more
        trial.examples += more

    def _generation(self, record: GenerationFinished) -> None:
        trial = self.running[record.trial]
        trial.generation = record.generation + 1
        trial.best = record.best if trial.best is None else max(trial.best, record.best or 0)
        if record.mean is not None:
            trial.means.append(record.mean)
            trial.line.add(record.mean)
        if self.verbose:
            fitness = f"best {_number(record.best)}, mean {_number(record.mean)}"
            self._tell(record, f"generation {record.generation}: {fitness}")
        else:
            self._now_and_then(trial)

    def _now_and_then(self, trial: Running) -> None:
        """Print a trial's progress if there is no live table."""
        if not self.live and time.monotonic() - self.lined > LINE_EVERY:
            self.lined = time.monotonic()
            line = f"{self._overall()}  {self._what(trial)}"
            self.console.print(cell(line), soft_wrap=True)

    def _stage(self, record: StageFinished) -> None:
        trial = self.running[record.trial]
        self.done += 1
        trial.budget = 0
        scores = ", ".join(
            f"{name.replace('_', ' ')} {_number(value)}"
            for name, value in record.scores.get(record.stage, {}).items()
        )
        scores = scores or "not scored"
        self._line(f"{self._what(trial)}  done in {record.seconds:.1f} s: {scores}")

    def _line(self, text: str) -> None:
        if self.live:
            self.finished.append(text)
        else:
            self.console.print(cell(text), soft_wrap=True)

    def _tell(self, record: StageStarted | Evaluated | GenerationFinished, text: str) -> None:
        """Print a line that only ``--verbose`` asks for."""
        if self.verbose:
            trial = self.running[record.trial]
            line = f"{trial.arm}, seed {trial.seed}: stage {record.stage}: {text}"
            self.console.print(cell(line), soft_wrap=True)

    def _what(self, trial: Running) -> str:
        best = "" if trial.best is None else f"  best {_number(trial.best)}"
        return (
            f"{trial.arm}, seed {trial.seed}: stage {trial.stage} {trial.task}, "
            f"generation {trial.generation}{best}"
        )

    def _overall(self) -> str:
        seconds = time.monotonic() - self.started
        running = [t.used / t.budget for t in self.running.values() if t.budget]
        done = (self.done + sum(running)) / self.total
        here = done - self.before / self.total
        left = seconds / here * (1 - done) if here > 0 else None
        share = f"{100 * done:3.0f} %"
        rate = f"{self.examples / max(seconds, 1e-9):,.0f} {self.unit}/s"
        return f"{share}  {rate}  " + ("" if left is None else f"{_clock(left)} left")

    def table(self) -> Group:
        """The live table."""
        table = Table(box=None, pad_edge=False, header_style="dim")
        for title in ("arm", "seed", "stage", "generation", "best", "mean", ""):
            table.add_column(title, justify="left" if title in ("arm", "stage", "") else "right")
        for trial in self.running.values():
            table.add_row(
                cell(trial.arm, style="bold"),
                str(trial.seed),
                cell(f"{trial.stage} {trial.task}"),
                str(trial.generation),
                _number(trial.best),
                _number(trial.mean),
                ProgressBar(max(trial.budget, 1), trial.used, width=16),
            )
        past = [cell(line, style="dim") for line in self.finished]
        shown = [table] if fits(table, self.console.width) else self._below_each_other()
        return Group(*past, cell(self._overall()), *shown, *self._pictures())

    def _below_each_other(self) -> list[Text]:
        """The running trials where the terminal is too narrow for a table."""
        return [
            cell(
                f"{trial.arm}, seed {trial.seed}: {trial.stage} {trial.task}\n"
                f"  generation {trial.generation}\n"
                f"  best {_number(trial.best)}, mean {_number(trial.mean)}"
            )
            for trial in self.running.values()
        ]

    def _pictures(self) -> Iterator[Text]:
        """The pools of the first running trials: frozen #, darker for hot modules, cold a dot."""
        plain = not self.console.encoding.startswith("utf")
        for trial in list(self.running.values())[:PICTURES]:
            if trial.pool is not None:
                yield cell(f"{trial.arm}, seed {trial.seed}", style="dim")
                line = Text("fitness  ", style="dim").append(trial.line.text(plain), style="green")
                for part in (*trial.pool.lines(plain), line):
                    part.truncate(self.console.width)
                    yield part


def _started(record: StageStarted) -> str:
    """What a stage begins with."""
    frozen = sum(map(len, record.frozen))
    unit = record.unit if record.by_frames else "evaluations"
    return (
        f"{record.task}: {record.budget:,} {unit}, {frozen} of {sum(record.counts)} modules frozen"
    )


def _number(value: float | None) -> str:
    """A fitness or score that fits a column."""
    if value is None:
        return "-"
    return f"{value:.3f}" if abs(value) < LARGE else f"{value:.3e}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
