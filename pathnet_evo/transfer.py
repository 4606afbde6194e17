"""A trial: one arm learns the sequence, stage by stage (Fernando et al. 2017, section 2.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from pathnet_evo.duplication import Duplication
from pathnet_evo.evolve import StageFailed
from pathnet_evo.fingerprint import Fingerprint
from pathnet_evo.genotype import Genotype, Path, distinct
from pathnet_evo.learners import Learner, LearningContext
from pathnet_evo.network import PathNetwork
from pathnet_evo.numbers import named
from pathnet_evo.plan import Plan, Trial
from pathnet_evo.plugin_calls import calling
from pathnet_evo.pool import ModulePool
from pathnet_evo.records import (
    Emit,
    FrontFound,
    NotScored,
    Saturated,
    StageFinished,
    StageStarted,
    TaskMade,
)
from pathnet_evo.scoring import scored
from pathnet_evo.session import Session
from pathnet_evo.stack import Stack
from pathnet_evo.strategies.base import Strategy, StrategyError
from pathnet_evo.streams import Streams, borrow, seed_globals
from pathnet_evo.tasks import SupervisedTask, Task, TaskError


@dataclass
class Learned:
    """What is known of a stage once its best path is found; with the pool, its network.

    Args:
        name: the name of stage or task.
        task: what was learned.
        learner: who learned it.
        path: the modules active in the best path.
        readout: the task's readout.
        fingerprint: of the task.
    """

    name: str
    task: Task
    learner: Learner
    path: Path
    readout: Stack
    fingerprint: Fingerprint

    def network(self, pool: ModulePool) -> PathNetwork:
        """The stage's network with the pool's present weights."""
        return pool.network(self.path, self.readout, self.task.shift, self.task.scale)

    def score(self, pool: ModulePool, streams: Streams) -> dict[str, float]:
        """The held-out scores of the stage's network with the pool's present weights."""
        return named(self.learner.score(self.network(pool), self.task, streams))


class Keep:
    """Hears when a trial's state can be taken; this one keeps nothing."""

    def between(
        self, pool: ModulePool, learned: list[Learned], session: Session, stopping: bool
    ) -> None:
        """Between two rounds of evolution.

        Args:
            pool: all modules.
            learned: the stages before.
            session: the stage at work.
            stopping: whether the trial will end here.
        """

    def finished(
        self, pool: ModulePool, learned: list[Learned], record: StageFinished
    ) -> tuple[str, str] | None:
        """At the end of a stage, which ``learned`` ends with.

        Returns:
            The checkpoint's folder and the SHA-256 of its manifest, or None.
        """
        return None


@borrow()
def learn_sequence(
    plan: Plan,
    trial: Trial,
    device: str,
    emit: Emit,
    stop: Callable[[], bool] = lambda: False,
    keep: Keep | None = None,
    start: dict[str, Any] | None = None,
) -> list[Learned]:
    """Learn every stage in turn and transfer between them as the arm says.

    Args:
        plan: the run.
        trial: which arm, which seed.
        device: where to compute.
        emit: hears of everything that happens, in order.
        stop: asked before each round of evolution; true ends the trial where it is.
        keep: hears when a checkpoint can be taken.
        start: what to go on from, as ``state`` gave it; None begins the trial.

    Returns:
        The stages that were learned to their end.

    Raises:
        StageFailed: evaluations failed one after another; nothing of that stage is frozen.
    """
    keep = Keep() if keep is None else keep
    streams = Streams(trial.seed)

    def made(i: int, pool: ModulePool | None) -> tuple[Task, Fingerprint]:
        # The first task decides what the pool takes, whenever it is made.
        task = plan.make_task(i, streams, pool if i else None)
        fingerprint = Fingerprint.of(task)
        emit(TaskMade(trial.id, i, fingerprint))
        return (task.to(device) if isinstance(task, SupervisedTask) else task), fingerprint

    learned, pool = ([], None) if start is None else _learned(plan, streams, device, start, made)
    session_state = None if start is None else start["session"]
    for i in range(len(learned), len(plan.stages)):
        given = made(i, pool)
        here = streams.at(i)
        seed_globals(here, "stage")
        notes: list[Saturated | NotScored] = []
        if pool is None or session_state is None:
            pool, saturated = _prepare(plan, trial, i, here, given[0], device, pool)
            notes += saturated
        session = _session(
            plan, trial, i, here, given, device, pool, emit, session_state, notes.append
        )
        if session_state is None:
            emit(session.started)
            for record in notes:
                emit(record)
        else:
            session.restore(session_state, start["seconds"] if start else 0.0)
            session_state = None
        if not session.run(stop, partial(keep.between, pool, learned, session)):
            return learned
        seed_globals(here, "scores")
        finished = _finish(plan, trial, streams, pool, learned, session)
        if front := _front(session):
            emit(front)
        emit(replace(finished, checkpoint=keep.finished(pool, learned, finished)))
    return learned


def state(
    pool: ModulePool, learned: list[Learned], session: Session | None = None
) -> dict[str, Any]:
    """What a trial goes on from; plain data as JSON has it, and tensors in place of any value.

    Args:
        pool: all modules.
        learned: the stages that are over.
        session: the stage at work; None where the next one has not begun.
    """
    given = [stage.fingerprint for stage in learned]
    given += [] if session is None else [session.fingerprint]
    return {
        "input_shape": list(pool.input_shape),
        "layers": [layer.state() for layer in pool.layers],
        "learned": [
            {"name": stage.name, "path": stage.path, "readout": stage.readout.state()}
            for stage in learned
        ],
        "session": None if session is None else session.state(),
        "seconds": 0.0 if session is None else session.seconds,
        "data": [str(fingerprint) for fingerprint in given],
    }


def _learned(
    plan: Plan,
    streams: Streams,
    device: str,
    start: dict[str, Any],
    made: Callable[[int, ModulePool | None], tuple[Task, Fingerprint]],
) -> tuple[list[Learned], ModulePool]:
    """The stages that were learned before, and the pool as it was then."""
    pool = plan.make_pool(tuple(start["input_shape"]), device)
    for layer, layer_state in zip(pool.layers, start["layers"], strict=True):
        layer.restore(layer_state)
    learned = []
    for i, kept in enumerate(start["learned"]):
        (task, fingerprint), learner = made(i, pool), plan.stages[i].learner
        readout = learner.readout(pool, task, streams.at(i).torch("readout"))
        readout.restore(kept["readout"])
        path = tuple(tuple(modules) for modules in kept["path"])
        learned.append(Learned(kept["name"], task, learner, path, readout, fingerprint))
    return learned, pool


def _prepare(
    plan: Plan,
    trial: Trial,
    i: int,
    here: Streams,
    task: Task,
    device: str,
    pool: ModulePool | None,
) -> tuple[ModulePool, list[Saturated]]:
    """The pool as a stage begins with it, and the layers that have too few modules left."""

    def generators(layer: int) -> torch.Generator:
        return here.torch("init", layer)

    if pool is None:
        pool = plan.make_pool(task.input_shape, device)
        pool.initialise(generators)
        return pool, []
    transfer = plan.arms[trial.arm].transfer
    saturated = _make_room(plan, pool, trial, i, here) if transfer == "freeze" else []
    if transfer != "keep" and plan.config.transfer.reinitialise:
        pool.initialise(generators, keep_frozen=transfer == "freeze")
    return pool, saturated


def _session(
    plan: Plan,
    trial: Trial,
    i: int,
    here: Streams,
    made: tuple[Task, Fingerprint],
    device: str,
    pool: ModulePool,
    emit: Emit,
    resumed: dict[str, Any] | None,
    note: Callable[[NotScored], None],
) -> Session:
    task, fingerprint = made
    stage, arm = plan.stages[i], plan.arms[trial.arm]
    with calling("readout", TaskError):
        readout = stage.learner.readout(pool, task, here.torch("readout"))
    with calling("strategy", StrategyError):
        strategy = arm.strategy(
            pool.shape(plan.config.pool.width),
            here.python("genotype"),
            arm.settings,
            frozen=pool.frozen_path(),
        )
    context = LearningContext(
        pool,
        readout,
        task,
        torch.device(device),
        here,
        stage.always_active,
        budget_frames=stage.frames,
    )
    if resumed is None:
        chance = scored(partial(_chance, stage.learner, task, here), note, trial.id, i)
    else:
        chance = resumed["chance"]
    started = StageStarted(
        trial=trial.id,
        stage=i,
        task=stage.name or task.name,
        budget=stage.frames or stage.evaluations or 0,
        by_frames=stage.frames is not None,
        chance=chance,
        population=tuple(tuple(map(tuple, genotype)) for genotype in strategy.population),
        frozen=pool.frozen_path(),
        counts=tuple(len(layer) for layer in pool.layers),
        fitness_name=type(stage.learner).fitness_name,
        unit=type(stage.learner).unit,
    )
    rate = plan.config.transfer.duplication
    duplication = Duplication(pool, rate, here.python("duplication")) if rate else None
    return Session(stage, plan.engine, strategy, context, started, fingerprint, emit, duplication)


def _chance(learner: Learner, task: Task, here: Streams) -> float | None:
    found = learner.chance(task, here)
    return None if found is None else float(found)


def _finish(
    plan: Plan,
    trial: Trial,
    streams: Streams,
    pool: ModulePool,
    learned: list[Learned],
    session: Session,
) -> StageFinished:
    """Freeze a stage's best path, if the arm does, and score all that can still be used."""
    stage, context, strategy = session.stage, session.context, session.strategy
    i, transfer = session.started.stage, plan.arms[trial.arm].transfer
    best = _best(strategy)
    path = pool.active(best, stage.always_active)
    learned.append(
        Learned(
            session.started.task,
            context.task,
            stage.learner,
            path,
            context.readout,
            session.fingerprint,
        )
    )
    if transfer == "freeze":
        pool.freeze(path)
    visible = range(i, i + 1) if transfer == "scratch" else range(i + 1)
    scores = {}
    for j in visible:
        score = partial(learned[j].score, pool, streams.at(j))
        found = scored(score, session.emit, trial.id, i, strategy.told, j)
        if found is not None:
            scores[j] = found
    return StageFinished(
        trial=trial.id,
        stage=i,
        evaluations=strategy.told,
        examples=session.progress.examples,
        seconds=session.seconds,
        genotype=tuple(map(tuple, best)),
        path=path,
        fitness=float(best.fitness.values[0]),
        reused=_common(path, session.started.frozen),
        frozen=pool.frozen_path(),
        scores=scores,
        checkpoint=None,
    )


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


def _best(strategy: Strategy) -> Genotype:
    best = strategy.best()
    if best is None:
        raise StageFailed("no path has a finite fitness, so none can be frozen")
    return best


def _front(session: Session) -> FrontFound | None:
    strategy, front, best = session.strategy, session.strategy.front(), _best(session.strategy)
    if front is None:
        return None
    wanted = (distinct(best), best.fitness.values)
    chosen = next(
        i for i, (rows, values) in enumerate(front.members) if (distinct(rows), values) == wanted
    )
    return FrontFound(session.started.trial, session.started.stage, strategy.told, front, chosen)


def _common(a: Path, b: Path) -> Path:
    return tuple(tuple(sorted(set(x) & set(y))) for x, y in zip(a, b, strict=True))
