"""TensorBoard: curves of a run, in its folder ``tensorboard/``, one log a trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr, model_validator

from pathnet_evo.core.genotype import distinct
from pathnet_evo.interfaces.evaluations import Evaluation
from pathnet_evo.interfaces.records import GenerationFinished, StageFinished, StageStarted
from pathnet_evo.interfaces.run_info import RunInfo, Trial
from pathnet_evo.interfaces.summary import Summary
from pathnet_evo.interfaces.trackers import Tracker
from pathnet_evo.system.extras import missing

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


USED, FRAME, FAINT = (11, 102, 168), (27, 37, 48), (216, 223, 230)


class TensorBoard(Tracker):
    """Writes ``tensorboard/ARM-SEED``; ``tensorboard --logdir RUN/tensorboard`` shows it.

    ``Tracker`` has the names of scalars. ``stage-I/path`` is a picture of the fittest path of a
    generation over the pool, each ``pictures`` generations.
    """

    pictures: int = Field(0, ge=0)
    """Generations between pictures of the fittest path; 0 for none."""

    _writers: dict[int, SummaryWriter] = PrivateAttr(default_factory=dict)
    _stages: dict[int, StageStarted] = PrivateAttr(default_factory=dict)

    def measured(self, run: RunInfo, trial: Trial, step: int, values: Mapping[str, float]) -> None:
        """Write scalars."""
        for name, value in values.items():
            self._writer(run, trial).add_scalar(name, value, step)

    @model_validator(mode="after")
    def _installed(self) -> Self:
        if lack := missing("this observer needs", "tensorboard"):
            raise ValueError(lack)
        return self

    def stage_started(self, run: RunInfo, record: StageStarted) -> None:
        """Keep what the pool is like."""
        super().stage_started(run, record)
        self._stages[record.trial] = record

    def generation_finished(self, run: RunInfo, record: GenerationFinished) -> None:
        """Write a generation's scalars and, if due, its picture."""
        told = self._told.get(record.trial, [])
        super().generation_finished(run, record)
        if self.pictures and (record.generation + 1) % self.pictures == 0:
            fittest = max((e for e in told if not e.failed), key=_fitness, default=None)
            started = self._stages.get(record.trial)
            if fittest is not None and started is not None:
                picture = path_picture(started, fittest)
                writer = self._writer(run, run.trials[record.trial])
                now = record.evaluations
                writer.add_image(f"stage-{record.stage}/path", picture, now, dataformats="HWC")

    def stage_finished(self, run: RunInfo, record: StageFinished) -> None:
        """Write a stage's scalars to disk."""
        super().stage_finished(run, record)
        self._writer(run, run.trials[record.trial]).flush()

    def run_finished(self, run: RunInfo, summary: Summary) -> None:
        """Write the metrics over all stages, and close the logs."""
        super().run_finished(run, summary)
        while self._writers:
            self._writers.popitem()[1].close()

    def _writer(self, run: RunInfo, trial: Trial) -> SummaryWriter:
        if trial.id not in self._writers:
            from torch.utils.tensorboard import SummaryWriter

            folder = run.folder / "tensorboard" / f"{trial.arm}-{trial.seed}"
            self._writers[trial.id] = SummaryWriter(str(folder))
        return self._writers[trial.id]


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


def _fitness(evaluation: Evaluation) -> float:
    assert evaluation.fitness is not None
    return evaluation.fitness
