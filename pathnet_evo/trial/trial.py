"""A trial: one arm learns the sequence, stage by stage (Fernando et al. 2017, section 2.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from pathnet_evo.core.genotype import Genotype, Path, distinct
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams, borrow, seed_globals
from pathnet_evo.interfaces.evaluations import StageFailed
from pathnet_evo.interfaces.fingerprint import Fingerprint
from pathnet_evo.interfaces.policies import Start
from pathnet_evo.interfaces.records import Emit, FrontFound, Record, StageFinished, TaskMade
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.interfaces.strategies import Strategy
from pathnet_evo.interfaces.tasks import SupervisedTask, Task
from pathnet_evo.setup.plan import Plan
from pathnet_evo.system.plugin_calls import calling
from pathnet_evo.trial.beginning import StageBeginning
from pathnet_evo.trial.fitting import weigh_readouts
from pathnet_evo.trial.learned import Learned
from pathnet_evo.trial.measuring import before_training, measured
from pathnet_evo.trial.scoring import scored
from pathnet_evo.trial.stage import StageRun


class Checkpointer:
    """Called when a trial's state can be saved; this base class saves nothing."""

    def between(
        self, pool: ModulePool, learned: list[Learned], stage_run: StageRun, stopping: bool
    ) -> None:
        """Between two rounds of evolution.

        Args:
            pool: all modules.
            learned: the stages before.
            stage_run: the stage at work.
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

    def rival_finished(
        self, state: dict[str, Any] | None, record: StageFinished
    ) -> tuple[str, str] | None:
        """At the end of a rival's stage; ``state`` is None if the rival keeps nothing."""
        return None


@borrow()
def learn_sequence(
    plan: Plan,
    trial: Trial,
    device: str,
    emit: Emit,
    stop: Callable[[], bool] = lambda: False,
    checkpointer: Checkpointer | None = None,
    start: dict[str, Any] | None = None,
    ends: Callable[[int], bool] = lambda stage: False,
    begun: tuple[ModulePool | None, list[Learned]] = (None, []),
) -> list[Learned]:
    """Learn every stage in turn, with the arm's transfer policy between them.

    Args:
        plan: the run.
        trial: which arm, which seed.
        device: where to compute.
        emit: hears of everything that happens, in order.
        stop: asked before each round of evolution; true ends the trial where it is.
        checkpointer: hears when a checkpoint can be taken.
        start: what to go on from, as ``state`` gave it; None begins the trial.
        ends: asked before each round whether this stage is to end early; the next one follows.
        begun: the pool and the stages learned so far, where they are still in memory.

    Returns:
        The stages that were learned to their end.

    Raises:
        StageFailed: evaluations failed one after another; nothing of that stage is frozen.
    """
    checkpointer = Checkpointer() if checkpointer is None else checkpointer
    streams = Streams(trial.seed)

    def made(i: int, pool: ModulePool | None) -> tuple[Task, Fingerprint]:
        # The first task decides what the pool takes, whenever it is made.
        task = plan.make_task(i, streams, pool if i else None)
        fingerprint = Fingerprint.of(task)
        emit(TaskMade(trial.id, i, fingerprint))
        return (task.to(device) if isinstance(task, SupervisedTask) else task), fingerprint

    pool, learned = begun[0], [*begun[1]]
    if start is not None:
        learned, pool = _learned(plan, trial, device, start, made)
    stage_state = None if start is None else start["session"]
    for i in range(len(learned), len(plan.stages)):
        given = made(i, pool)
        here = streams.at(i)
        before: list[Record] = []
        if pool is not None and stage_state is None:
            before = _before(plan, trial, here, pool, learned, given[0])
        seed_globals(here, "stage")
        beginning = StageBeginning(plan, trial, i, here, given, device, learned)
        notes: list[Record] = []
        starts: list[Start] = []
        if pool is None or stage_state is None:
            pool, starts, notes = beginning.prepare(pool)
        stage_run = beginning.stage_run(pool, starts, emit, stage_state, notes.append)
        if stage_state is None:
            emit(stage_run.started)
            for record in [*before, *notes]:
                emit(record)
        else:
            stage_run.restore(stage_state, start["seconds"] if start else 0.0)
            stage_state = None
        between = partial(checkpointer.between, pool, learned, stage_run)
        if not stage_run.run(stop, between, partial(ends, i)):
            return learned
        seed_globals(here, "scores")
        finished = _finish(plan, trial, streams, pool, learned, stage_run)
        if front := _front(stage_run):
            emit(front)
        policy = plan.arms[trial.arm].policy
        usable = [j for j in range(i + 1) if policy.usable(j, i)]
        emit(measured(pool, learned, usable, trial.id, finished.evaluations))
        emit(replace(finished, checkpoint=checkpointer.finished(pool, learned, finished)))
    return learned


def state(
    pool: ModulePool, learned: list[Learned], stage_run: StageRun | None = None
) -> dict[str, Any]:
    """The state that a trial resumes from; JSON data in which any value can be a tensor.

    Args:
        pool: all modules.
        learned: the stages that are over.
        stage_run: the stage at work; None where the next one has not begun.
    """
    given = [stage.fingerprint for stage in learned]
    given += [] if stage_run is None else [stage_run.fingerprint]
    return {
        "input_shape": list(pool.input_shape),
        "layers": [layer.state() for layer in pool.layers],
        "learned": [
            {"name": stage.name, "path": stage.path, "head": stage.head.state()}
            for stage in learned
        ],
        "session": None if stage_run is None else stage_run.state(),
        "seconds": 0.0 if stage_run is None else stage_run.seconds,
        "data": [str(fingerprint) for fingerprint in given],
    }


def _learned(
    plan: Plan,
    trial: Trial,
    device: str,
    start: dict[str, Any],
    made: Callable[[int, ModulePool | None], tuple[Task, Fingerprint]],
) -> tuple[list[Learned], ModulePool]:
    """The stages learned before, and the pool at that time."""
    pool = plan.make_pool(tuple(start["input_shape"]), device)
    for layer, layer_state in zip(pool.layers, start["layers"], strict=True):
        layer.restore(layer_state)
    learned: list[Learned] = []
    for i, kept in enumerate(start["learned"]):
        given, here = made(i, pool), Streams(trial.seed, i)
        begun = StageBeginning(plan, trial, i, here, given, device, learned)
        head = begun.head(pool, begun.listened(kept["head"]))
        head.restore(kept["head"])
        path = tuple(tuple(modules) for modules in kept["path"])
        learned.append(Learned(kept["name"], given[0], begun.stage.learner, path, head, given[1]))
    return learned, pool


def _before(
    plan: Plan,
    trial: Trial,
    streams: Streams,
    pool: ModulePool,
    learned: list[Learned],
    task: Task,
) -> list[Record]:
    """What a stage's task scores before anything of it is trained, if that can be measured."""
    seed_globals(streams, "before-training")
    i = len(learned)
    learner = plan.stages[i].learner
    found = before_training(pool, learned[-1], learner, task, streams, trial.id, i)
    return [] if found is None else [found]


def _finish(
    plan: Plan,
    trial: Trial,
    streams: Streams,
    pool: ModulePool,
    learned: list[Learned],
    stage_run: StageRun,
) -> StageFinished:
    """Freeze a stage's best path, if the arm does, and score all networks that still exist."""
    stage, context, strategy = stage_run.stage, stage_run.context, stage_run.strategy
    i, policy = stage_run.started.stage, plan.arms[trial.arm].policy
    best = _best(strategy)
    path = context.path(best)
    learned.append(
        Learned(
            stage_run.started.task,
            context.task,
            stage.learner,
            path,
            context.head,
            stage_run.fingerprint,
        )
    )
    weigh_readouts(learned[-1], pool, streams.at(i))
    with calling("transfer policy"):
        policy.end(pool, path)
    visible = [j for j in range(i + 1) if policy.usable(j, i)]
    scores = {}
    for j in visible:
        score = partial(learned[j].score, pool, streams.at(j))
        found = scored(score, stage_run.emit, trial.id, i, strategy.told, j)
        if found is not None:
            scores[j] = found
    return StageFinished(
        trial=trial.id,
        stage=i,
        evaluations=strategy.told,
        examples=stage_run.progress.examples,
        seconds=stage_run.seconds,
        genotype=tuple(map(tuple, best)),
        path=path,
        fitness=float(best.fitness.values[0]),
        reused=_common(path, stage_run.started.frozen),
        frozen=pool.frozen_path(),
        scores=scores,
        checkpoint=None,
        usage=stage_run.progress.usage,
    )


def _best(strategy: Strategy) -> Genotype:
    best = strategy.best()
    if best is None and not strategy.told:
        raise StageFailed(
            "its budget ended before any evaluation did, so no path has a fitness: give it a "
            "larger one, or shorter evaluations (of games: learner.evaluation_frames)"
        )
    if best is None:
        raise StageFailed("no path has a finite fitness, so none can be frozen")
    return best


def _front(stage_run: StageRun) -> FrontFound | None:
    strategy, front, best = (
        stage_run.strategy,
        stage_run.strategy.front(),
        _best(stage_run.strategy),
    )
    if front is None:
        return None
    wanted = (distinct(best), best.fitness.values)
    chosen = next(
        i for i, (rows, values) in enumerate(front.members) if (distinct(rows), values) == wanted
    )
    return FrontFound(
        stage_run.started.trial, stage_run.started.stage, strategy.told, front, chosen
    )


def _common(a: Path, b: Path) -> Path:
    return tuple(tuple(sorted(set(x) & set(y))) for x, y in zip(a, b, strict=True))
