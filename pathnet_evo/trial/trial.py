"""A trial: one arm learns the sequence, stage by stage (Fernando et al. 2017, section 2.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from pathnet_evo.core.genotype import Genotype, Path, distinct
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams, borrow, seed_globals
from pathnet_evo.interfaces.fingerprint import Fingerprint
from pathnet_evo.interfaces.learners import StageFailed
from pathnet_evo.interfaces.policies import Start
from pathnet_evo.interfaces.records import Emit, FrontFound, Record, StageFinished, TaskMade
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.interfaces.strategies import Strategy
from pathnet_evo.interfaces.tasks import SupervisedTask, Task
from pathnet_evo.setup.plan import Plan
from pathnet_evo.system.plugin_calls import calling
from pathnet_evo.trial.beginning import StageBeginning
from pathnet_evo.trial.learned import Learned
from pathnet_evo.trial.scoring import scored
from pathnet_evo.trial.stage import Session


class Checkpointer:
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
    keep: Checkpointer | None = None,
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
    keep = Checkpointer() if keep is None else keep
    streams = Streams(trial.seed)

    def made(i: int, pool: ModulePool | None) -> tuple[Task, Fingerprint]:
        # The first task decides what the pool takes, whenever it is made.
        task = plan.make_task(i, streams, pool if i else None)
        fingerprint = Fingerprint.of(task)
        emit(TaskMade(trial.id, i, fingerprint))
        return (task.to(device) if isinstance(task, SupervisedTask) else task), fingerprint

    learned, pool = ([], None) if start is None else _learned(plan, trial, device, start, made)
    session_state = None if start is None else start["session"]
    for i in range(len(learned), len(plan.stages)):
        given = made(i, pool)
        here = streams.at(i)
        seed_globals(here, "stage")
        begun = StageBeginning(plan, trial, i, here, given, device, learned)
        notes: list[Record] = []
        starts: list[Start] = []
        if pool is None or session_state is None:
            pool, starts, notes = begun.prepare(pool)
        session = begun.session(pool, starts, emit, session_state, notes.append)
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
            {"name": stage.name, "path": stage.path, "head": stage.head.state()}
            for stage in learned
        ],
        "session": None if session is None else session.state(),
        "seconds": 0.0 if session is None else session.seconds,
        "data": [str(fingerprint) for fingerprint in given],
    }


def _learned(
    plan: Plan,
    trial: Trial,
    device: str,
    start: dict[str, Any],
    made: Callable[[int, ModulePool | None], tuple[Task, Fingerprint]],
) -> tuple[list[Learned], ModulePool]:
    """The stages that were learned before, and the pool as it was then."""
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
    i, policy = session.started.stage, plan.arms[trial.arm].policy
    best = _best(strategy)
    path = context.path(best)
    learned.append(
        Learned(
            session.started.task,
            context.task,
            stage.learner,
            path,
            context.head,
            session.fingerprint,
        )
    )
    with calling("transfer policy"):
        policy.end(pool, path)
    visible = [j for j in range(i + 1) if policy.usable(j, i)]
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
