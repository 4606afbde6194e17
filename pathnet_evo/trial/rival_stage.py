"""A stage of a rival: its course, and what it reports as the records of other arms."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from pathnet_evo.core.genotype import Path
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams, lend
from pathnet_evo.interfaces.evaluations import Candidate, Evaluation, StageFailed
from pathnet_evo.interfaces.records import (
    BeforeTraining,
    Emit,
    Evaluated,
    GenerationFinished,
    NetworkMeasured,
    StageFinished,
    StageStarted,
)
from pathnet_evo.interfaces.rivals import Course, Predict, Rival
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.interfaces.tasks import SupervisedTask
from pathnet_evo.setup.plan import Plan
from pathnet_evo.system.plugin_calls import calling
from pathnet_evo.trial.measuring import counted

AT_ONCE = 1000
"""Examples in one prediction."""
NOT_FINITE = "the loss is not finite"


class TrialStopped(Exception):  # noqa: N818
    """The trial was told to stop; passes through the rival's own training loop."""


class RivalStage:
    """One stage of a rival's trial, reported as records.

    Args:
        plan: the run.
        trial: which arm, which seed.
        stage: index in the sequence.
        task: what to learn, on the device.
        pool: a pool without numbers, for its shapes.
        device: where to compute.
        emit: hears of everything that happens, in order.
        stop: asked after each evaluation.
        rival: learns.

    Raises:
        PluginFailed: the learner cannot split the examples.
    """

    def __init__(
        self,
        plan: Plan,
        trial: Trial,
        stage: int,
        task: SupervisedTask,
        pool: ModulePool,
        device: str,
        emit: Emit,
        stop: Callable[[], bool],
        rival: Rival,
    ) -> None:
        self.plan, self.trial, self.i, self.pool = plan, trial, stage, pool
        self.task, self.device = task, device
        self.emit, self.stop, self.rival = emit, stop, rival
        width = plan.config.pool.width
        self.path: Path = (tuple(range(width)),) * len(plan.kinds)
        self.fitnesses: list[float | None] = []
        self.examples = 0
        self.since = time.perf_counter()
        with calling("split_examples"):
            learner, streams = plan.stages[stage].learner, Streams(trial.seed, stage)
            kept, self.held = learner.split_examples(task, streams)
            self.trained = task.only(kept) if len(self.held) else task

    @property
    def course(self) -> Course:
        """What the rival is given."""
        stage = self.plan.stages[self.i]
        assert stage.evaluations is not None  # checked before the run
        return Course(
            stage=self.i,
            n_stages=len(self.plan.stages),
            task=self.trained,
            learner=stage.learner,
            kinds=self.plan.kinds,
            width=self.plan.config.pool.width,
            aggregate=self.pool.aggregate,
            input_shape=self.pool.input_shape,
            evaluations=stage.evaluations,
            device=self.device,
            told=self._told,
            before=self._before,
        )

    def learn(self, tasks: list[SupervisedTask]) -> StageFinished:
        """Learn the stage and score all tasks so far.

        Raises:
            TrialStopped: the trial was told to stop.
            StageFailed: the last evaluation has no fitness.
            PluginFailed: the rival raised.
        """
        course = self.course
        self.since = since = time.perf_counter()
        self.emit(self._started(course.evaluations))
        with calling("rival", TrialStopped):
            self.rival.learn(course)
            scores = {j: _score(partial(self.rival.predict, j), of) for j, of in enumerate(tasks)}
            self._measure()
        none, fitness = ((),) * len(self.path), self.fitnesses[-1] if self.fitnesses else None
        if fitness is None:
            raise StageFailed(f"the rival ended without a fitness: {NOT_FINITE}")
        return StageFinished(
            self.trial.id,
            self.i,
            len(self.fitnesses),
            self.examples,
            time.perf_counter() - since,
            genotype=self.path,
            path=self.path,
            fitness=fitness,
            reused=none,
            frozen=none,
            scores=scores,
            checkpoint=None,
        )

    def _started(self, budget: int) -> StageStarted:
        stage = self.plan.stages[self.i]
        return StageStarted(
            self.trial.id,
            self.i,
            task=stage.name or self.task.name,
            budget=budget,
            by_frames=False,
            random_baseline=None,
            population=(self.path,),
            frozen=((),) * len(self.path),
            counts=tuple(len(layer) for layer in self.pool.layers),
            fitness_name=type(stage.learner).fitness_name,
            unit=type(stage.learner).unit,
        )

    def _told(self, accuracy: float, loss: float, examples: int) -> None:
        number, size, finite = len(self.fitnesses), 2, math.isfinite(loss)
        if len(self.held):
            accuracy = self._held_out()
        self.fitnesses.append(float(accuracy) if finite else None)
        self.examples += examples
        now = time.perf_counter()
        told = Evaluation(
            Candidate(number, 0, self.path, None, number),
            self.fitnesses[-1],
            None if finite else NOT_FINITE,
            examples=examples,
            seconds=now - self.since,
            metrics={"loss": loss} if finite else {},
        )
        self.since = now
        place = (self.trial.id, self.i)
        self.emit(Evaluated(*place, number, number // size, told.checked(), ()))
        if (number + 1) % size == 0:
            known = [fitness for fitness in self.fitnesses[-size:] if fitness is not None]
            best, mean = max(known, default=None), sum(known) / len(known) if known else None
            self.emit(GenerationFinished(*place, number // size, number + 1, best, mean))
        if self.stop():
            raise TrialStopped

    def _held_out(self) -> float:
        """Accuracy on the examples that the rival does not train on."""
        inputs, labels = self.task.inputs[self.held], self.task.labels[self.held]
        return _accuracy(partial(self.rival.predict, self.i), self.task, inputs, labels)

    def _before(self, predict: Predict, untrained: Callable[[], Predict]) -> None:
        """Score a task that is not trained yet, for its forward transfer."""
        if not self.i:
            return
        scores = _score(predict, self.task)
        with lend(Streams(self.trial.seed, self.i).python("before-training")):
            baseline = _score(untrained(), self.task)
        self.emit(BeforeTraining(self.trial.id, self.i, scores=scores, untrained=baseline))
        self.since = time.perf_counter()

    def _measure(self) -> None:
        predict = partial(self.rival.predict, self.i)
        self.emit(
            NetworkMeasured(
                self.trial.id,
                self.i,
                len(self.fitnesses),
                parameters=self.rival.parameters(self.i),
                multiply_adds=counted(predict, self.pool.input_shape, torch.device(self.device)),
                stored=self.rival.parameters(),
            )
        )


def _score(predict: Predict, task: SupervisedTask) -> dict[str, float]:
    """Accuracy on a task's test examples."""
    return {"test_accuracy": _accuracy(predict, task, task.test_inputs, task.test_labels)}


@torch.no_grad()
def _accuracy(predict: Predict, task: SupervisedTask, inputs: Tensor, labels: Tensor) -> float:
    """Share of a task's examples whose largest logit is that of their label, all of them finite."""
    right = 0
    for x, y in zip(torch.split(inputs, AT_ONCE), torch.split(labels, AT_ONCE), strict=True):
        logits = predict(task.prepare(x))
        finite = torch.isfinite(logits).all(-1)
        right += int(((logits.argmax(-1) == y) & finite).sum())
    return right / len(labels)
