"""Trackers: observers that receive a run's metrics by name, the same names for all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from pydantic import Field, PrivateAttr

from pathnet_evo.interfaces.evaluations import Evaluation
from pathnet_evo.interfaces.measures import (
    continual_measures,
    generation_measures,
    path_measures,
    score_measures,
)
from pathnet_evo.interfaces.observers import Observer
from pathnet_evo.interfaces.records import (
    Evaluated,
    GenerationFinished,
    StageFinished,
    StageStarted,
)
from pathnet_evo.interfaces.run_info import RunInfo, Trial
from pathnet_evo.interfaces.summary import Summary


class Tracker(Observer, ABC):
    """An observer that receives metrics; override ``measured``.

    Names stay as they are from version to version:

    * ``stage-I/fitness/best`` and ``stage-I/fitness/mean``, of a generation, by evaluations;
    * ``stage-I/population/NAME``, the population's diversity, and how much of it is frozen beside
      what chance would give, by evaluations;
    * ``stage-I/METRIC``, the mean of what the learner measures, such as ``loss`` or, for games,
      ``return``, over the evaluations of a generation, by evaluations;
    * ``stage-J/score/NAME``, the test scores of stage J's network, by the number of stages
      that were learned by then, so that forgetting shows;
    * ``path/reused``, the share of a best path's modules that earlier stages froze, and
      ``pool/frozen``, the number of frozen modules, by the number of stages;
    * ``continual/ACC``, ``BWT``, ``FWT``, ``forgetting`` and ``learning-area``, over all stages, as
      the run ends, for a trial that learned the last one in this session.
    """

    every: int = Field(1, ge=1)
    """Generations between measurements."""

    _told: dict[int, list[Evaluation]] = PrivateAttr(default_factory=dict)
    _latest: dict[int, int] = PrivateAttr(default_factory=dict)

    @abstractmethod
    def measured(self, run: RunInfo, trial: Trial, step: int, values: Mapping[str, float]) -> None:
        """Take metrics.

        Args:
            run: the run.
            trial: arm and seed.
            step: evaluations of the stage so far or, for scores and modules, stages learned.
            values: the metrics by name.
        """

    def stage_started(self, run: RunInfo, record: StageStarted) -> None:
        """Begin with no evaluations."""
        self._told[record.trial] = []

    def evaluation_finished(self, run: RunInfo, record: Evaluated) -> None:
        """Keep an evaluation until its generation is over."""
        self._told.setdefault(record.trial, []).append(record.evaluation)

    def generation_finished(self, run: RunInfo, record: GenerationFinished) -> None:
        """Pass on fitness, diversity and the learner's metrics."""
        told = self._told.pop(record.trial, [])
        if (record.generation + 1) % self.every == 0:
            metrics = [evaluation.metrics for evaluation in told]
            values = generation_measures(record.best, record.mean, record.diversity, metrics)
            named = {f"stage-{record.stage}/{name}": value for name, value in values.items()}
            self.measured(run, run.trials[record.trial], record.evaluations, named)

    def stage_finished(self, run: RunInfo, record: StageFinished) -> None:
        """Pass on the scores of all stages so far, and what became of modules."""
        scores = {
            f"stage-{stage}/{name}": value
            for stage, found in record.scores.items()
            for name, value in score_measures(found).items()
        }
        modules = path_measures(record.path, record.reused, record.frozen)
        self.measured(run, run.trials[record.trial], record.stage + 1, {**scores, **modules})
        self._latest[record.trial] = record.stage

    def run_finished(self, run: RunInfo, summary: Summary) -> None:
        """Pass on the metrics over all stages; what overrides this calls it first."""
        n_stages = len(summary["stages"])
        for number, stage in self._latest.items():
            if stage == n_stages - 1:
                trial = run.trials[number]
                values = continual_measures(summary, trial.arm, trial.seed)
                self.measured(run, trial, n_stages, values)
        self._latest.clear()
