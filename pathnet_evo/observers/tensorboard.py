"""TensorBoard: curves of a run, in its folder ``tensorboard/``, one log a trial."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr

from pathnet_evo.core.genotype import distinct
from pathnet_evo.interfaces.learners import Evaluation
from pathnet_evo.interfaces.observers import Observer
from pathnet_evo.interfaces.records import (
    Evaluated,
    GenerationFinished,
    StageFinished,
    StageStarted,
)
from pathnet_evo.interfaces.run_info import RunInfo
from pathnet_evo.interfaces.summary import Summary

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


USED, FRAME, FAINT = (11, 102, 168), (27, 37, 48), (216, 223, 230)


class TensorBoard(Observer):
    """Writes ``tensorboard/ARM-SEED``; ``tensorboard --logdir RUN/tensorboard`` shows it.

    Tags stay as they are from version to version:

    * ``stage-I/fitness/best`` and ``stage-I/fitness/mean``, of each generation, by evaluations;
    * ``stage-I/population/NAME``, the population's diversity, and how much of it is frozen beside
      what chance would give, by evaluations;
    * ``stage-I/METRIC``, the mean of what the learner measures, such as ``loss`` or, for games,
      ``return``, over the evaluations of a generation, by evaluations;
    * ``stage-I/path``, a picture of the fittest path of a generation over the pool, each
      ``pictures`` generations;
    * ``stage-J/score/NAME``, the test scores of stage J's network, by the number of stages
      that were learned by then, so that forgetting shows;
    * ``path/reused``, the share of a best path's modules that earlier stages froze, and
      ``pool/frozen``, the number of frozen modules, by the number of stages.
    """

    every: int = Field(1, ge=1)
    """Generations between writes."""
    pictures: int = Field(0, ge=0)
    """Generations between pictures of the fittest path; 0 for none."""

    _writers: dict[int, SummaryWriter] = PrivateAttr(default_factory=dict)
    _stages: dict[int, StageStarted] = PrivateAttr(default_factory=dict)
    _told: dict[int, list[Evaluation]] = PrivateAttr(default_factory=dict)

    def stage_started(self, run: RunInfo, record: StageStarted) -> None:
        """Keep what the pool is like."""
        self._stages[record.trial] = record
        self._told[record.trial] = []

    def evaluation_finished(self, run: RunInfo, record: Evaluated) -> None:
        """Keep an evaluation until its generation is over."""
        self._told.setdefault(record.trial, []).append(record.evaluation)

    def generation_finished(self, run: RunInfo, record: GenerationFinished) -> None:
        """Write fitness, diversity and metrics; a generation in which all failed has no fitness."""
        told = self._told.pop(record.trial, [])
        now, stage = record.evaluations, f"stage-{record.stage}"
        if (record.generation + 1) % self.every == 0:
            writer = self._writer(run, record.trial)
            for name, value in (("best", record.best), ("mean", record.mean)):
                if value is not None:
                    writer.add_scalar(f"{stage}/fitness/{name}", value, now)
            for name, value in record.diversity.items():
                writer.add_scalar(f"{stage}/population/{name}", value, now)
            for name, value in _means(told).items():
                writer.add_scalar(f"{stage}/{name}", value, now)
        if self.pictures and (record.generation + 1) % self.pictures == 0:
            fittest = max((e for e in told if not e.failed), key=_fitness, default=None)
            started = self._stages.get(record.trial)
            if fittest is not None and started is not None:
                picture = path_picture(started, fittest)
                writer = self._writer(run, record.trial)
                writer.add_image(f"{stage}/path", picture, now, dataformats="HWC")

    def stage_finished(self, run: RunInfo, record: StageFinished) -> None:
        """Write the scores of all stages so far."""
        writer, step = self._writer(run, record.trial), record.stage + 1
        for stage, scores in record.scores.items():
            for name, value in scores.items():
                writer.add_scalar(f"stage-{stage}/score/{name}", value, step)
        active = sum(map(len, record.path))
        writer.add_scalar("path/reused", sum(map(len, record.reused)) / active, step)
        writer.add_scalar("pool/frozen", sum(map(len, record.frozen)), step)
        writer.flush()

    def run_finished(self, run: RunInfo, summary: Summary) -> None:
        """Close the logs."""
        while self._writers:
            self._writers.popitem()[1].close()

    def _writer(self, run: RunInfo, trial: int) -> SummaryWriter:
        if trial not in self._writers:
            from torch.utils.tensorboard import SummaryWriter

            about = run.trials[trial]
            folder = run.folder / "tensorboard" / f"{about.arm}-{about.seed}"
            self._writers[trial] = SummaryWriter(str(folder))
        return self._writers[trial]


def path_picture(stage: StageStarted, evaluation: Evaluation) -> NDArray[np.uint8]:
    """A path over the pool, ``(height, width, 3)``: a column a layer, a square a module.

    Modules of the path are blue, frozen ones have a dark frame.
    """
    path = distinct(evaluation.candidate.genotype)
    square, gap = 12, 4
    cell = square + gap
    height, width = cell * max(stage.counts) + gap, 3 * cell * len(stage.counts) + gap
    picture = np.full((height, width, 3), 255, dtype=np.uint8)
    for layer, count in enumerate(stage.counts):
        for module in range(count):
            top, left = gap + cell * module, gap + cell * (3 * layer + 1)
            frame = FRAME if module in stage.frozen[layer] else FAINT
            picture[top : top + square, left : left + square] = frame
            inner = USED if module in path[layer] else (255, 255, 255)
            picture[top + 2 : top + square - 2, left + 2 : left + square - 2] = inner
    return picture


def _means(told: list[Evaluation]) -> dict[str, float]:
    """Each metric's mean over the evaluations that have it."""
    names = dict.fromkeys(name for evaluation in told for name in evaluation.metrics)
    values = {name: [e.metrics[name] for e in told if name in e.metrics] for name in names}
    return {name: sum(found) / len(found) for name, found in values.items()}


def _fitness(evaluation: Evaluation) -> float:
    assert evaluation.fitness is not None
    return evaluation.fitness
