"""TensorBoard: curves of a run, in its folder ``tensorboard/``, one log a trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, PrivateAttr

from pathnet_evo.observers.base import Observer, RunInfo
from pathnet_evo.records import GenerationFinished, StageFinished

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class TensorBoard(Observer):
    """Writes ``tensorboard/ARM-SEED``; ``tensorboard --logdir RUN/tensorboard`` shows it.

    Tags stay as they are from version to version:

    * ``stage-I/fitness/best`` and ``stage-I/fitness/mean``, of each generation, by evaluations;
    * ``stage-J/score/NAME``, the held-out scores of stage J's network, by the number of stages
      that were learned by then, so that forgetting shows;
    * ``path/reused``, the share of a best path's modules that earlier stages froze, and
      ``pool/frozen``, the number of frozen modules, by the number of stages.
    """

    every: int = Field(1, ge=1)
    """Write every so many generations."""

    _writers: dict[int, SummaryWriter] = PrivateAttr(default_factory=dict)

    def generation_finished(self, run: RunInfo, record: GenerationFinished) -> None:
        """Write best and mean fitness; a generation in which all failed has none."""
        if (record.generation + 1) % self.every:
            return
        writer = self._writer(run, record.trial)
        for name, value in (("best", record.best), ("mean", record.mean)):
            if value is not None:
                tag = f"stage-{record.stage}/fitness/{name}"
                writer.add_scalar(tag, value, record.evaluations)

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

    def run_finished(self, run: RunInfo, summary: dict[str, Any]) -> None:
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
