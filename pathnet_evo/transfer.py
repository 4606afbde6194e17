"""A trial: one arm learns the sequence, stage by stage (Fernando et al. 2017, section 2.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from pathnet_evo.budget import Budget
from pathnet_evo.columns import AT_ONCE, Columns
from pathnet_evo.duplication import Duplication
from pathnet_evo.evolve import StageFailed
from pathnet_evo.genotype import Genotype, Path, Rows, distinct
from pathnet_evo.head import TaskHead
from pathnet_evo.learners import Learner, LearningContext
from pathnet_evo.network import PathNetwork
from pathnet_evo.plan import Plan, Trial
from pathnet_evo.plugin_calls import calling
from pathnet_evo.policies.base import Beginning, InitialModules, Start
from pathnet_evo.pool import ModulePool
from pathnet_evo.prior import MOST, UNTRAINED, Prior, accuracy
from pathnet_evo.records import (
    Emit,
    FrontFound,
    NotScored,
    Record,
    Saturated,
    StageFinished,
    StageStarted,
    TransferPlanned,
)
from pathnet_evo.scoring import scored
from pathnet_evo.session import Session
from pathnet_evo.strategies.base import Strategy, StrategyError
from pathnet_evo.streams import Streams
from pathnet_evo.tasks import SupervisedTask, Task, TaskError

FITTED = 1000
"""Training examples on which columns are standardised."""


@dataclass
class Learned:
    """What is known of a stage once its best path is found; with the pool, its network.

    Args:
        name: the name of stage or task.
        task: what was learned.
        learner: who learned it.
        path: the modules active in the best path.
        head: what the task owns.
    """

    name: str
    task: Task
    learner: Learner
    path: Path
    head: TaskHead

    def network(self, pool: ModulePool) -> PathNetwork:
        """The stage's network with the pool's present weights."""
        return pool.network(self.path, self.head, self.task.shift, self.task.scale)

    def score(self, pool: ModulePool, streams: Streams) -> dict[str, float]:
        """The held-out scores of the stage's network with the pool's present weights."""
        return self.learner.score(self.network(pool), self.task, streams)


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
    learned, pool = ([], None) if start is None else _learned(plan, trial, streams, device, start)
    session_state = None if start is None else start["session"]
    for i in range(len(learned), len(plan.stages)):
        task = _task(plan, i, streams, device, pool)
        begun = _Beginnings(plan, trial, i, streams.at(i), task, device, learned)
        prepared: list[Record] = []
        starts: list[Start] = []
        if pool is None or session_state is None:
            pool, starts, prepared = begun.prepare(pool)
        session = begun.session(pool, starts, emit, session_state, prepared.append)
        if session_state is None:
            emit(session.started)
            for record in prepared:
                emit(record)
        else:
            session.restore(session_state, start["seconds"] if start else 0.0)
            session_state = None
        if not session.run(stop, partial(keep.between, pool, learned, session)):
            return learned
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
    return {
        "input_shape": list(pool.input_shape),
        "layers": [layer.state() for layer in pool.layers],
        "learned": [
            {"name": stage.name, "path": stage.path, "head": stage.head.state()}
            for stage in learned
        ],
        "session": None if session is None else session.state(),
        "seconds": 0.0 if session is None else session.seconds,
    }


def _learned(
    plan: Plan, trial: Trial, streams: Streams, device: str, start: dict[str, Any]
) -> tuple[list[Learned], ModulePool]:
    """The stages that were learned before, and the pool as it was then."""
    pool = plan.make_pool(tuple(start["input_shape"]), device)
    for layer, layer_state in zip(pool.layers, start["layers"], strict=True):
        layer.restore(layer_state)
    learned: list[Learned] = []
    for i, kept in enumerate(start["learned"]):
        task, here = _task(plan, i, streams, device, pool), streams.at(i)
        begun = _Beginnings(plan, trial, i, here, task, device, learned)
        head = begun.head(pool, begun.listened(kept["head"]))
        head.restore(kept["head"])
        path = tuple(tuple(modules) for modules in kept["path"])
        learned.append(Learned(kept["name"], task, plan.stages[i].learner, path, head))
    return learned, pool


def _task(plan: Plan, i: int, streams: Streams, device: str, pool: ModulePool | None) -> Task:
    # The first task decides what the pool takes, whenever it is made.
    task = plan.make_task(i, streams, pool if i else None)
    return task.to(device) if isinstance(task, SupervisedTask) else task


class _Beginnings:
    """How a stage begins: the pool, what the task listens to, its head, and the session."""

    def __init__(
        self,
        plan: Plan,
        trial: Trial,
        stage: int,
        streams: Streams,
        task: Task,
        device: str,
        learned: list[Learned],
    ) -> None:
        self.plan, self.trial, self.i, self.streams = plan, trial, stage, streams
        self.task, self.device, self.learned = task, torch.device(device), learned
        self.stage, self.arm = plan.stages[stage], plan.arms[trial.arm]
        self.policy = self.arm.policy
        self.connect = plan.connect(stage, trial.arm)
        self.columns: tuple[int, ...] = ()

    def prepare(self, pool: ModulePool | None) -> tuple[ModulePool, list[Start], list[Record]]:
        """The pool as the stage begins with it, paths on its free modules, and what to report."""
        if pool is None:
            pool = self.plan.make_pool(self.task.input_shape, str(self.device))
            pool.initialise(lambda layer: self.streams.torch("init", layer))
            return pool, [], []
        transfer, width = self.plan.config.transfer, self.plan.config.pool.width
        initial = self.policy.initial_modules or transfer.initial_modules
        prior = self._prior(pool, initial)
        ranked = list(reversed(range(self.i))) if prior is None else prior.ranked
        beginning = Beginning(
            pool=pool,
            streams=self.streams,
            width=width,
            learned=[stage.path for stage in self.learned],
            ranked=ranked,
            wanted=self._wanted(pool, ranked, prior),
            reinitialise=transfer.reinitialise,
            grow=int(transfer.grow),
            initial_modules=initial,
        )
        with calling("transfer policy"):
            starts, grown = self.policy.begin(beginning)
        if self.connect == "lateral" and self.policy.listens:
            telling = ranked if prior is None else prior.telling()
            self.columns = tuple(sorted(telling[: transfer.max_columns]))
        records: list[Record] = [
            Saturated(self.trial.id, self.i, g.layer, g.free, width, g.added) for g in grown
        ]
        if self.policy.freezes:
            records.append(
                TransferPlanned(
                    self.trial.id,
                    self.i,
                    self.connect,
                    self.columns,
                    tuple((str(start), start.rows) for start in starts),
                    None if prior is None else vars(prior),
                )
            )
        return pool, starts, records

    def _wanted(
        self, pool: ModulePool, ranked: Sequence[int], prior: Prior | None
    ) -> list[int | None]:
        """What a new path may begin as: copies, fresh modules (None), or either, to be raced.

        Where a first layer has a weight for every place of its input, copies were up to 10 points
        below fresh modules that listen to the same path, and nowhere clearly above.
        """
        if not pool.layers[0].kind.shares_weights:
            return [None]
        return [None, *ranked] if prior is None else prior.starts()

    def _prior(self, pool: ModulePool, initial: InitialModules) -> Prior | None:
        """How well earlier paths tell the task's classes apart, where that is asked for."""
        wanted, task = self.plan.config.transfer.prior, self.task
        useful = self.policy.listens and (self.connect == "lateral" or initial != "fresh")
        if wanted is False or not useful or not isinstance(task, SupervisedTask):
            return None
        order = torch.randperm(len(task.inputs), generator=self.streams.torch("prior"))
        rows = order[:MOST].to(task.inputs.device)
        x, labels = task.prepare(task.inputs[rows]), task.labels[rows]
        networks = {j: self.learned[j].network(pool) for j in range(self.i)}
        last = networks[self.i - 1]
        untrained = [
            last.untrained(self.streams.torch("prior/random", n)) for n in range(UNTRAINED)
        ]
        n = task.n_classes

        def tell(network: PathNetwork) -> float:
            with torch.no_grad():
                units = [network.units(part) for part in torch.split(x, AT_ONCE)]
            return accuracy([torch.cat(part) for part in zip(*units, strict=True)], labels, n)

        return Prior(
            examples=len(rows),
            raw=accuracy([x], labels, n),
            random=sum(map(tell, untrained)) / UNTRAINED,
            stages={j: tell(network) for j, network in networks.items()},
        )

    def _inputs(self, task: Task, stage: int) -> Tensor:
        """Some inputs of a task, prepared for the network."""
        learner = self.plan.stages[stage].learner
        streams = Streams(self.trial.seed, stage)
        return learner.inputs(task, FITTED, streams).to(self.device)

    def listened(self, head: dict[str, Any]) -> tuple[int, ...]:
        """The stages that a head listened to, as its state has it."""
        columns = head.get("columns")
        return () if columns is None else tuple(columns["stages"])

    def head(self, pool: ModulePool, columns: Sequence[int]) -> TaskHead:
        """A new head that listens to the paths of earlier stages."""
        with calling("readout", TaskError):
            readout = self.stage.learner.readout(pool, self.task, self.streams.torch("readout"))
        if not columns:
            return TaskHead(pool.layers, readout)
        heard = [
            self.policy.column(
                pool.network(self.learned[j].path, self.learned[j].head), j, self.streams
            )
            for j in columns
        ]
        return TaskHead(pool.layers, readout, Columns(columns, heard).to(self.device))

    def session(
        self,
        pool: ModulePool,
        starts: list[Start],
        emit: Emit,
        resumed: dict[str, Any] | None,
        note: Callable[[NotScored], None],
    ) -> Session:
        """The stage, ready to be worked at."""
        stage, arm, here = self.stage, self.arm, self.streams
        if resumed is None:
            head = self.head(pool, self.columns)
            if head.columns is not None:
                homes = [self._inputs(self.learned[j].task, j) for j in self.columns]
                head.fit(self._inputs(self.task, self.i), homes)
        else:
            head = self.head(pool, self.listened(resumed.get("head", {})))
            starts = [Start(_rows(rows), None) for rows in resumed.get("starts", [])]
        budget = Budget(stage.evaluations, stage.frames)
        with calling("strategy", StrategyError):
            strategy = arm.strategy(
                pool.shape(self.plan.config.pool.width),
                here.python("genotype"),
                arm.settings,
                frozen=pool.frozen_path(),
                starts=starts,
                budget=budget,
            )
        context = LearningContext(
            pool,
            head,
            self.task,
            self.device,
            here,
            self.connect == "sum",
            budget=budget,
        )
        if resumed is None:
            untrained = partial(stage.learner.chance, self.task, here)
            chance = scored(untrained, note, self.trial.id, self.i)
        else:
            chance = resumed["chance"]
        started = StageStarted(
            trial=self.trial.id,
            stage=self.i,
            task=stage.name or self.task.name,
            budget=budget.total,
            by_frames=stage.frames is not None,
            chance=chance,
            population=tuple(tuple(map(tuple, genotype)) for genotype in strategy.population),
            frozen=pool.frozen_path(),
            counts=tuple(len(layer) for layer in pool.layers),
            fitness_name=type(stage.learner).fitness_name,
            unit=type(stage.learner).unit,
        )
        rate = self.plan.config.transfer.duplication
        duplication = Duplication(pool, rate, here.python("duplication"), head) if rate else None
        return Session(stage, self.plan.engine, strategy, context, started, emit, duplication)


def _rows(rows: Sequence[Sequence[int]]) -> Rows:
    return tuple(tuple(row) for row in rows)


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
    learned.append(Learned(session.started.task, context.task, stage.learner, path, context.head))
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
