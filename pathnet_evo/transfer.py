"""A trial: one arm learns the sequence, stage by stage (Fernando et al. 2017, section 2.2)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch

from pathnet_evo.diversity import diversity
from pathnet_evo.engines.base import Engine
from pathnet_evo.evolve import StageFailed, evolve
from pathnet_evo.genotype import Genotype, Path, distinct
from pathnet_evo.learners import Episode, Evaluation, Evaluator, Learner, LearningContext
from pathnet_evo.network import PathNetwork
from pathnet_evo.plan import Plan, Stage, Trial
from pathnet_evo.pool import ModulePool
from pathnet_evo.records import (
    Emit,
    EpisodesFinished,
    Evaluated,
    GenerationFinished,
    Saturated,
    StageFinished,
    StageStarted,
)
from pathnet_evo.stack import Stack
from pathnet_evo.strategies.base import Strategy
from pathnet_evo.streams import Streams
from pathnet_evo.tasks import SupervisedTask, Task


@dataclass
class Learned:
    """What is known of a stage once its best path is found; with the pool, its network.

    Args:
        name: the name of stage or task.
        task: what was learned.
        learner: who learned it.
        path: the modules active in the best path.
        readout: the task's readout.
    """

    name: str
    task: Task
    learner: Learner
    path: Path
    readout: Stack

    def network(self, pool: ModulePool) -> PathNetwork:
        """The stage's network with the pool's present weights."""
        return pool.network(self.path, self.readout, self.task.shift, self.task.scale)


class Keep(Protocol):
    """Writes a checkpoint at the end of a stage."""

    def __call__(self, stage: int, pool: ModulePool, learned: list[Learned]) -> tuple[str, str]:
        """Return the checkpoint's folder and the SHA-256 of its manifest."""


def learn_sequence(
    plan: Plan,
    trial: Trial,
    device: str,
    emit: Emit,
    stop: Callable[[], bool] = lambda: False,
    keep: Keep | None = None,
) -> list[Learned]:
    """Learn every stage in turn and transfer between them as the arm says.

    Args:
        plan: the run.
        trial: which arm, which seed.
        device: where to compute.
        emit: hears of everything that happens, in order.
        stop: asked before each round of evolution; true ends the trial where it is.
        keep: writes a checkpoint at the end of each stage.

    Returns:
        The stages that were learned to their end.

    Raises:
        StageFailed: evaluations failed one after another; nothing of that stage is frozen.
    """
    arm = plan.arms[trial.arm]
    streams = Streams(trial.seed)
    learned: list[Learned] = []
    pool: ModulePool | None = None
    for i, stage in enumerate(plan.stages):
        saturated: list[Saturated] = []
        task = plan.make_task(i, streams, pool)
        if isinstance(task, SupervisedTask):
            task = task.to(device)
        here = streams.at(i)
        if pool is None:
            pool = plan.make_pool(task.input_shape, device)
            pool.initialise(lambda layer, here=here: here.torch("init", layer))  # type: ignore[misc]
        elif arm.transfer != "keep":
            if arm.transfer == "freeze":
                saturated = _make_room(plan, pool, trial, i, here)
            if plan.config.transfer.reinitialise:
                pool.initialise(
                    lambda layer, here=here: here.torch("init", layer),  # type: ignore[misc]
                    keep_frozen=arm.transfer == "freeze",
                )
        readout = pool.readout(stage.learner.outputs(task), here.torch("readout"))
        strategy = arm.strategy(
            pool.shape(plan.config.pool.width),
            here.python("genotype"),
            arm.settings,
            frozen=pool.frozen_path(),
        )
        progress = _StageProgress(trial.id, i, strategy, emit, pool.frozen_path())
        context = LearningContext(
            pool,
            readout,
            task,
            torch.device(device),
            here,
            stage.always_active,
            budget_frames=stage.frames,
        )
        frozen_before = pool.frozen_path()
        chance = stage.learner.chance(task, here)
        emit(_started(trial, i, stage, task, chance, strategy, frozen_before, pool))
        for record in saturated:
            emit(record)
        start = time.perf_counter()
        _evolve(stage, plan.engine, strategy, context, progress, stop)
        if stop():
            return learned
        best = _best(strategy)
        path = pool.active(best, stage.always_active)
        learned.append(Learned(stage.name or task.name, task, stage.learner, path, readout))
        if arm.transfer == "freeze":
            pool.freeze(path)
        visible = range(i, i + 1) if arm.transfer == "scratch" else range(i + 1)
        scores = {
            j: learned[j].learner.score(learned[j].network(pool), learned[j].task, streams.at(j))
            for j in visible
        }
        emit(
            StageFinished(
                trial=trial.id,
                stage=i,
                evaluations=strategy.told,
                examples=progress.examples,
                seconds=time.perf_counter() - start,
                genotype=tuple(map(tuple, best)),
                path=path,
                fitness=float(best.fitness.values[0]),
                reused=_common(path, frozen_before),
                frozen=pool.frozen_path(),
                scores=scores,
                checkpoint=keep(i, pool, learned) if keep else None,
            )
        )
    return learned


@dataclass
class _StageProgress:
    """Turns a stage's evaluations into records, generation by generation."""

    trial: int
    stage: int
    strategy: Strategy
    emit: Emit
    frozen: Path = ()
    examples: int = 0
    episodes: int = 0
    best: float = -math.inf
    fitnesses: list[float] = field(default_factory=list)
    measured: int | None = None

    def heard(self, evaluation: Evaluation) -> None:
        """Pass an evaluation on, after the strategy was told of it."""
        number, size = self.strategy.told - 1, self.strategy.generation_size
        self.examples += evaluation.examples
        if evaluation.fitness is not None:
            self.fitnesses.append(evaluation.fitness)
            self.best = max(evaluation.fitness, self.best)
        replacements = tuple(self.strategy.take_replacements())
        self.emit(
            Evaluated(self.trial, self.stage, number, number // size, evaluation, replacements)
        )
        if self.strategy.told % size == 0:
            finite = self.fitnesses
            self.emit(
                GenerationFinished(
                    self.trial,
                    self.stage,
                    number // size,
                    self.strategy.told,
                    max(finite, default=None),
                    sum(finite) / len(finite) if finite else None,
                    self._diversity(),
                )
            )
            self.fitnesses = []

    def played(self, episodes: list[Episode]) -> None:
        """Pass episodes on."""
        used = episodes[-1].at
        self.emit(EpisodesFinished(self.trial, self.stage, self.episodes, used, tuple(episodes)))
        self.episodes += len(episodes)

    def _diversity(self) -> dict[str, float]:
        """The population's, if a quarter of it may have changed: each time would cost too much."""
        told, population = self.strategy.told, self.strategy.population
        if self.measured is not None and 4 * (told - self.measured) < len(population):
            return {}
        self.measured = told
        paths = [distinct(genotype) for genotype in population]
        frozen = self.frozen or ((),) * self.strategy.shape.layers
        return diversity(paths, self.strategy.shape.counts, frozen)


def _make_room(
    plan: Plan, pool: ModulePool, trial: Trial, stage: int, streams: Streams
) -> list[Saturated]:
    """Let layers grow that have too few modules left, if they are to; tell of all that have."""
    width, grow = plan.config.pool.width, plan.config.transfer.grow
    found = []
    for i, layer in enumerate(pool.layers):
        free = int((~layer.frozen).sum())
        if free >= width:
            continue
        added = max(width - free, int(grow)) if grow else 0
        if added:
            pool.grow(i, added, streams.torch("grow", i))
        found.append(Saturated(trial.id, stage, i, free, width, added))
    return found


def _evolve(
    stage: Stage,
    engine: Engine,
    strategy: Strategy,
    context: LearningContext,
    progress: _StageProgress,
    stop: Callable[[], bool],
) -> None:
    evaluator = engine.evaluator(stage.learner, context)

    def over() -> bool:
        reached = stage.threshold is not None and progress.best >= stage.threshold
        return reached or _spent(stage, strategy, evaluator, progress) or stop()

    try:
        evolve(strategy, evaluator, over, progress.heard, progress.played)
    finally:
        evaluator.close()


def _spent(
    stage: Stage, strategy: Strategy, evaluator: Evaluator, progress: _StageProgress
) -> bool:
    """Whether a stage's budget is used up."""
    if stage.frames is None:
        assert stage.evaluations is not None
        return strategy.told >= stage.evaluations
    used = evaluator.used
    return (progress.examples if used is None else used) >= stage.frames


def _best(strategy: Strategy) -> Genotype:
    best = strategy.best()
    if best is None:
        raise StageFailed("no path has a finite fitness, so none can be frozen")
    return best


def _common(a: Path, b: Path) -> Path:
    return tuple(tuple(sorted(set(x) & set(y))) for x, y in zip(a, b, strict=True))


def _started(
    trial: Trial,
    i: int,
    stage: Stage,
    task: Task,
    chance: float | None,
    strategy: Strategy,
    frozen: Path,
    pool: ModulePool,
) -> StageStarted:
    return StageStarted(
        trial=trial.id,
        stage=i,
        task=stage.name or task.name,
        budget=stage.frames or stage.evaluations or 0,
        by_frames=stage.frames is not None,
        chance=chance,
        population=tuple(tuple(map(tuple, genotype)) for genotype in strategy.population),
        frozen=frozen,
        counts=tuple(len(layer) for layer in pool.layers),
        fitness_name=type(stage.learner).fitness_name,
        unit=type(stage.learner).unit,
    )
