"""Running a sweep: its trials one after another, each a run of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from pathnet_evo.analysis import sweep as folders
from pathnet_evo.analysis.study import Study, SweepTrial
from pathnet_evo.analysis.summary import summarise
from pathnet_evo.analysis.tidy import evaluations
from pathnet_evo.interfaces.records import (
    Evaluated,
    Record,
    StageFinished,
    StageResumed,
    StageStarted,
)
from pathnet_evo.interfaces.stopping import OnRecord, StopRun
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.report.across_runs import sweep_page
from pathnet_evo.running import holding, runner
from pathnet_evo.running.trajectory import Trajectory
from pathnet_evo.setup.plan import Plan
from pathnet_evo.setup.problems import ConfigError
from pathnet_evo.setup.sweeps import Sweep, check_same, read_sweep, recorded_sweep
from pathnet_evo.store.directory import DirectoryError, clear, remove_unbegun
from pathnet_evo.store.lineage import never_begun
from pathnet_evo.store.lock import held
from pathnet_evo.store.reading import read_config, reading
from pathnet_evo.store.resuming import Consent, Say
from pathnet_evo.system.extras import require
from pathnet_evo.system.replacing import replace

Shown: TypeAlias = Callable[[Plan, Path, int], AbstractContextManager[OnRecord]]
"""Shows the progress of a run: from its plan, its folder and its stages that are over."""


@dataclass(frozen=True)
class Search:
    """A sweep that is run.

    Args:
        sweep: what is searched.
        folder: the sweep's folder.
        registry: the plugins.
        command: what the user typed, for the trials' reports.
        settings: overrides for trials that resume.
        shown: shows the progress of a trial.
        say: called with a message for each unusable checkpoint.
        consent: what trials that resume may lose.
    """

    sweep: Sweep
    folder: Path
    registry: Registry
    command: str
    settings: Sequence[str]
    shown: Shown
    say: Say
    consent: Consent = holding.NOTHING_LOST


def prepare(
    source: str | Path, settings: Sequence[str], registry: Registry, plugins: Sequence[Path] = ()
) -> Sweep:
    """A sweep that can be run; nothing is written.

    Raises:
        UserError: Optuna is missing.
        ConfigError: everything that is wrong with the sweep.
    """
    require("sweeps need", "optuna")
    return read_sweep(source, settings, registry, plugins)


def reopen(folder: Path, settings: Sequence[str], registry: Registry) -> Sweep:
    """The sweep of a folder, with settings that may change.

    Raises:
        UserError: not a sweep's folder, or Optuna is missing.
        ConfigError: a setting that cannot change.
    """
    require("sweeps need", "optuna")
    folders.check_sweep(folder)
    sweep = read_sweep(folder / folders.FILE, settings, registry)
    if settings:
        check_same(recorded_sweep(folder / folders.FILE), sweep)
    return sweep


def search(of: Search) -> int:
    """Run the trials that are missing, and the one that was left running.

    They run one after another, for each is sampled from what all earlier ones scored.

    Returns:
        The signal that ended it early, or 0.

    Raises:
        LockError: another process runs the sweep.
        UserError: the study, a trial's run, or the folder cannot be read or written.
    """
    with held(of.folder) as lock:
        clear(of.folder)
        folders.write_config(of.folder, of.sweep)
        study = Study(of.folder, of.sweep)
        try:
            _write(of, study)
            number = 0
            while not number and (trial := study.next()) is not None:
                lock.check()
                number = _run(of, study, trial)
                lock.check()
                _write(of, study)
            lock.end()
            _write(of, study)
        finally:
            study.close()
    return number


def _run(of: Search, study: Study, trial: SweepTrial) -> int:
    """Run a trial, or the rest of it, and tell the study; the signal that ended it, or 0."""
    home = of.folder / trial.name
    try:
        plan = of.sweep.plan(trial.labels, trial.name, of.registry)
    except ConfigError as error:
        study.finish(trial, "failed", error="; ".join(map(str, error.problems)))
        return 0
    number = 0
    if not (home / "run.toml").is_file():
        remove_unbegun(home)
        runner.create(plan, of.registry, of.folder, trial.name, of.command)
        watch = _Watch(of.sweep, study, trial, plan)
        with of.shown(plan, home, 0) as shown:
            number = runner.execute(plan, home, partial(_both, shown, watch), of.registry)
    elif not _is_over(home):
        _check_same_run(home, plan)
        opened = holding.reopen(home, of.settings, of.command, of.say, of.consent)
        watch = _Watch(of.sweep, study, trial, opened.plan)
        watch.recall(home)
        with of.shown(opened.plan, home, opened.stages_over) as shown:
            number = runner.proceed(opened, partial(_both, shown, watch))
    if number:
        return number
    study.finish(trial, *folders.outcome(home, of.sweep))
    return 0


def _both(shown: OnRecord, watch: _Watch, record: Record) -> object:
    shown(record)
    return watch(record)


def _is_over(run: Path) -> bool:
    if never_begun(run / "lineage.sqlite"):
        return False
    return summarise(run, digested=False)["state"] in ("finished", "failed")


def _check_same_run(home: Path, plan: Plan) -> None:
    """Refuse a run that another sweep, or nobody's, left in the trial's folder."""
    found = read_config(home)
    if found.name != plan.config.name or [a.name for a in found.arms] != [*plan.arms]:
        raise DirectoryError(f"{home}: holds another run; move it away")


class _Watch:
    """Reports a trial's scores on the way to its study, and ends the trial's run to prune it."""

    def __init__(self, sweep: Sweep, study: Study, trial: SweepTrial, plan: Plan) -> None:
        self.sweep, self.study, self.trial = sweep, study, trial
        self.seeds = {each.id: each.seed for each in plan.trials}
        self.course = Trajectory([*self.seeds.values()])
        self.stage, self.steps, self.pruned = len(plan.stages) - 1, 0, False

    def __call__(self, record: Record) -> object:
        """Process a record; ``StopRun`` ends the run."""
        match record:
            case StageResumed(started=started) if started.stage == self.stage:
                self.course.begin(started.budget, started.by_frames)
            case StageStarted() if record.stage == self.stage:
                self.course.begin(record.budget, record.by_frames)
            case Evaluated() if record.stage == self.stage:
                evaluation = record.evaluation
                self.course.add(
                    self.seeds[record.trial], record.number, evaluation.fitness, evaluation.examples
                )
                self._tell()
            case StageFinished() if record.stage == self.stage:
                self.course.end(self.seeds[record.trial], record.fitness)
                self._tell()
        return StopRun if self.pruned else None

    def recall(self, run: Path) -> None:
        """Take in what the run has done in earlier sessions."""
        with reading(run) as db:
            begun = db.execute(
                "SELECT s.*, t.seed FROM stages s JOIN trials t USING (trial) WHERE s.stage = ?",
                (self.stage,),
            ).fetchall()
            for row in begun:
                self.course.begin(row["budget"], bool(row["by_frames"]))
            for row in evaluations(db) if begun else ():
                if row["stage"] == self.stage:
                    told = (row["seed"], row["evaluation"], row["fitness"], row["examples"])
                    self.course.add(*told)
            for row in begun:
                if row["path"] is not None:
                    self.course.end(row["seed"], row["fitness"])
        self._tell()

    def _tell(self) -> None:
        """Report new steps, until one of them prunes the trial."""
        if self.pruned:
            return
        scores = self.course.scores()
        for step in range(self.steps, len(scores)):
            self.study.report(self.trial, step, scores[step])
            self.steps = step + 1
            if self.sweep.settings.pruning and step < self.course.last:
                self.pruned = self.study.prunes(self.trial)
            if self.pruned:
                return


def _write(of: Search, study: Study) -> None:
    found = folders.write_results(of.folder, of.sweep, study.trials())
    replace(of.folder / folders.PAGE, sweep_page(found))
