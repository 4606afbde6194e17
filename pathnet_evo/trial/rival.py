"""A trial of a rival: the same stream, budget and scores as for the other arms."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from pathnet_evo.core.genotype import Path
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams, borrow, lend, seed_globals
from pathnet_evo.interfaces.fingerprint import Fingerprint
from pathnet_evo.interfaces.learners import Candidate, Evaluation, StageFailed
from pathnet_evo.interfaces.records import (
    BeforeTraining,
    Emit,
    Evaluated,
    GenerationFinished,
    NetworkMeasured,
    StageFinished,
    StageStarted,
    TaskMade,
)
from pathnet_evo.interfaces.rivals import Course, Predict, Rival
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.interfaces.tasks import SupervisedTask
from pathnet_evo.setup.plan import Plan
from pathnet_evo.system.plugin_calls import calling
from pathnet_evo.trial.measuring import counted
from pathnet_evo.trial.trial import Checkpointer

AT_ONCE = 1000
"""Examples in one prediction."""
NOT_FINITE = "the loss is not finite"


class _Stopped(Exception):  # noqa: N818
    """The trial was told to stop; passes through the rival's own training loop."""


@borrow()
def learn_with_rival(
    plan: Plan,
    trial: Trial,
    device: str,
    emit: Emit,
    stop: Callable[[], bool],
    rival: Rival,
    checkpointer: Checkpointer | None = None,
    start: dict[str, Any] | None = None,
) -> bool:
    """Let a rival learn every stage in turn.

    A rival has checkpoints at the ends of stages, if it has any: a stage that was stopped starts
    again.

    Args:
        plan: the run.
        trial: which arm, which seed.
        device: where to compute.
        emit: hears of everything that happens, in order.
        stop: asked after each evaluation; true ends the trial where it is.
        rival: learns; it has learned nothing yet.
        checkpointer: hears of the ends of stages.
        start: the state of the last checkpoint, as ``_state`` gave it; None begins the trial.

    Returns:
        Whether all stages were learned.
    """
    checkpointer = Checkpointer() if checkpointer is None else checkpointer
    streams, pool, data = Streams(trial.seed), None, list[str]()
    stages: list[_RivalStage] = []
    n_learned = 0 if start is None else start["session"]["stages"]
    for i in range(len(plan.stages)):
        task = plan.make_task(i, streams, pool)
        assert isinstance(task, SupervisedTask)  # rehearsed
        fingerprint = Fingerprint.of(task)
        emit(TaskMade(trial.id, i, fingerprint))
        data.append(str(fingerprint))
        pool = plan.make_pool(task.input_shape, "meta") if pool is None else pool
        stages.append(_RivalStage(plan, trial, i, task.to(device), pool, device, emit, stop))
        if i < n_learned:
            continue
        if i == n_learned and start is not None:
            with calling("rival"):
                rival.restore(start["session"]["rival"], [stage.course for stage in stages[:-1]])
        seed_globals(streams.at(i), "stage")
        try:
            finished = stages[-1].learn(rival, [stage.task for stage in stages])
        except _Stopped:
            return False
        with calling("rival"):
            kept = rival.state()
        state = None if kept is None else _state(pool, kept, data)
        emit(replace(finished, checkpoint=checkpointer.rival_finished(state, finished)))
    return True


def _state(pool: ModulePool, kept: dict[str, Any], data: Sequence[str]) -> dict[str, Any]:
    """A trial's state after a stage, like ``trial.state``; the pool of a rival is empty."""
    return {
        "input_shape": list(pool.input_shape),
        "layers": [],
        "learned": [],
        "session": {"rival": kept, "stages": len(data)},
        "seconds": 0.0,
        "data": list(data),
    }


class _RivalStage:
    """One stage of a rival's trial, told as records."""

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
    ) -> None:
        self.plan, self.trial, self.i, self.pool = plan, trial, stage, pool
        self.task, self.device = task, device
        self.emit, self.stop = emit, stop
        width = plan.config.pool.width
        self.path: Path = (tuple(range(width)),) * len(plan.kinds)
        self.fitnesses: list[float | None] = []
        self.examples = 0

    @property
    def course(self) -> Course:
        """What the rival is given."""
        stage = self.plan.stages[self.i]
        assert stage.evaluations is not None  # checked before the run
        return Course(
            self.i,
            len(self.plan.stages),
            self.task,
            stage.learner,
            self.plan.kinds,
            self.plan.config.pool.width,
            self.pool.input_shape,
            stage.evaluations,
            self.device,
            self._told,
            self._before,
        )

    def learn(self, rival: Rival, tasks: list[SupervisedTask]) -> StageFinished:
        """Learn the stage and score all tasks so far."""
        course, since = self.course, time.perf_counter()
        self.emit(self._started(course.evaluations))
        with calling("rival", _Stopped):
            rival.learn(course)
            scores = {j: _score(partial(rival.predict, j), of) for j, of in enumerate(tasks)}
            self._measure(rival)
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
        self.fitnesses.append(float(accuracy) if finite else None)
        self.examples += examples
        told = Evaluation(
            Candidate(number, 0, self.path, None, number),
            self.fitnesses[-1],
            None if finite else NOT_FINITE,
            examples=examples,
            metrics={"loss": loss} if finite else {},
        )
        place = (self.trial.id, self.i)
        self.emit(Evaluated(*place, number, number // size, told.checked(), ()))
        if (number + 1) % size == 0:
            known = [fitness for fitness in self.fitnesses[-size:] if fitness is not None]
            best, mean = max(known, default=None), sum(known) / len(known) if known else None
            self.emit(GenerationFinished(*place, number // size, number + 1, best, mean))
        if self.stop():
            raise _Stopped

    def _before(self, predict: Predict, untrained: Callable[[], Predict]) -> None:
        """Score a task that is not trained yet, for its forward transfer."""
        if not self.i:
            return
        scores = _score(predict, self.task)
        with lend(Streams(self.trial.seed, self.i).python("before-training")):
            baseline = _score(untrained(), self.task)
        self.emit(BeforeTraining(self.trial.id, self.i, scores=scores, untrained=baseline))

    def _measure(self, rival: Rival) -> None:
        predict = partial(rival.predict, self.i)
        self.emit(
            NetworkMeasured(
                self.trial.id,
                self.i,
                len(self.fitnesses),
                parameters=rival.parameters(self.i),
                multiply_adds=counted(predict, self.pool.input_shape, torch.device(self.device)),
                stored=rival.parameters(),
            )
        )


@torch.no_grad()
def _score(predict: Predict, task: SupervisedTask) -> dict[str, float]:
    """Accuracy on a task's test examples."""
    right = 0
    for x, y in zip(
        torch.split(task.test_inputs, AT_ONCE), torch.split(task.test_labels, AT_ONCE), strict=True
    ):
        logits = predict(task.prepare(x))
        finite = torch.isfinite(logits).all(-1)
        right += int(((logits.argmax(-1) == y) & finite).sum())
    return {"test_accuracy": right / len(task.test_labels)}
