"""Where each trial of a run is, followed record by record."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

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
from pathnet_evo.values.stage_numbers import stage_number, stage_title

SMOOTHED = 20
"""Generations over which the displayed mean fitness is averaged."""
LARGE = 1e7
"""Numbers from here on are shown with an exponent."""


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

    @property
    def used(self) -> int:
        """How much of the budget is used."""
        return min(self.examples if self.by_frames else self.evaluations, self.budget)

    @property
    def mean(self) -> float | None:
        """Mean fitness of the last generations."""
        return sum(mean / len(self.means) for mean in self.means) if self.means else None


class Following:
    """Follows the records of a run.

    Args:
        plan: what is run.
        done: stages of all trials that were over before.

    Attributes:
        running: the trials at work, by their ids.
        total: stages of all trials.
        errors: why trials failed.
    """

    def __init__(self, plan: Plan, done: int = 0) -> None:
        self.running: dict[int, Running] = {}
        self.total = len(plan.stages) * len(plan.trials)
        self.done = self.before = done
        self.examples = 0
        self.unit = "examples"
        self.errors: list[str] = []
        self.started = time.monotonic()

    def said(self, text: str) -> None:
        """A line about something that happens once; a subclass shows it."""

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
                )
            case StageResumed():
                begun = record.started
                self.on_record(begun)
                trial = self.running[begun.trial]
                trial.evaluations, trial.examples = record.evaluations, record.examples
            case TrialLost():
                trial = self.running[record.trial]
                self.said(f"{trial.arm}, seed {trial.seed}: {record}")
            case Saturated() | NotScored():
                trial = self.running[record.trial]
                number = stage_number(trial.stage)
                self.said(f"{trial.arm}, seed {trial.seed}: stage {number}: {record}")
            case Evaluated():
                trial = self.running[record.trial]
                trial.evaluations = record.number + 1
                if not trial.episodic:
                    self._used(trial, trial.examples + record.evaluation.examples)
            case EpisodesFinished():
                trial = self.running[record.trial]
                trial.episodic = True
                self._used(trial, record.used)
            case GenerationFinished():
                trial = self.running[record.trial]
                trial.generation = record.generation + 1
                known = [best for best in (trial.best, record.best) if best is not None]
                trial.best = max(known, default=None)
                if record.mean is not None:
                    trial.means.append(record.mean)
            case StageFinished():
                self._stage(record)
            case TrialFinished():
                trial = self.running.pop(record.trial)
                if record.error:
                    number = stage_number(trial.stage)
                    error = f"{trial.arm}, seed {trial.seed}, stage {number}: {record.error}"
                    self.errors.append(error)
                    self.said(error)

    def _used(self, trial: Running, examples: int) -> None:
        """Count examples or frames; episodes report everything used."""
        more = max(examples - trial.examples, 0)
        self.examples += more
        trial.examples += more

    def _stage(self, record: StageFinished) -> None:
        trial = self.running[record.trial]
        self.done += 1
        trial.budget = 0
        scores = ", ".join(
            f"{name.replace('_', ' ')} {figure(value)}"
            for name, value in record.scores.get(record.stage, {}).items()
        )
        scores = scores or "not scored"
        self.said(f"{self.what(trial)}  done in {record.seconds:.1f} s: {scores}")

    def what(self, trial: Running) -> str:
        """A trial, and where it is."""
        best = "" if trial.best is None else f"  best {figure(trial.best)}"
        return (
            f"{trial.arm}, seed {trial.seed}: stage {stage_title(trial.stage, trial.task)}, "
            f"generation {trial.generation}{best}"
        )

    @property
    def share(self) -> float:
        """How much of the run is done, 0 to 1."""
        running = [t.used / t.budget for t in self.running.values() if t.budget]
        return (self.done + sum(running)) / self.total

    def overall(self) -> str:
        """How much of the run is done, how fast, and the time left."""
        seconds, done = time.monotonic() - self.started, self.share
        here = done - self.before / self.total
        left = seconds / here * (1 - done) if here > 0 else None
        rate = f"{self.examples / max(seconds, 1e-9):,.0f} {self.unit}/s"
        return f"{100 * done:3.0f} %  {rate}  " + ("" if left is None else f"{clock(left)} left")


def figure(value: float | None) -> str:
    """A fitness or score that fits a column."""
    if value is None:
        return "-"
    return f"{value:.3f}" if abs(value) < LARGE else f"{value:.3e}"


def clock(seconds: float) -> str:
    """A duration, as a clock shows it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
