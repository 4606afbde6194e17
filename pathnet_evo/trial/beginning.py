"""The start of a stage: its free modules, columns, head and session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from pathnet_evo.core.columns import AT_ONCE, Columns
from pathnet_evo.core.head import TaskHead
from pathnet_evo.core.network import PathNetwork
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.budget import FEW_EXAMPLES, Budget
from pathnet_evo.interfaces.fingerprint import Fingerprint
from pathnet_evo.interfaces.learners import LearningContext
from pathnet_evo.interfaces.policies import Beginning, InitialModules, Start
from pathnet_evo.interfaces.population import StrategyError
from pathnet_evo.interfaces.records import (
    Emit,
    NotScored,
    Record,
    Saturated,
    StageStarted,
    TransferPlanned,
)
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.interfaces.tasks import EnvironmentTask, SupervisedTask, Task, TaskError
from pathnet_evo.setup.plan import Plan
from pathnet_evo.system.plugin_calls import calling
from pathnet_evo.trial.duplication import Duplication
from pathnet_evo.trial.fitting import examples, fit_readout
from pathnet_evo.trial.learned import Learned
from pathnet_evo.trial.prior import MOST, UNTRAINED, Prior, Tells, tells
from pathnet_evo.trial.scoring import scored
from pathnet_evo.trial.stage import StageRun
from pathnet_evo.trial.tried import Tried

FITTED = 1000
"""Inputs on which columns are standardised."""


class StageBeginning:
    """The start of a stage: the pool, the columns to listen to, the head, and the session.

    Args:
        plan: the run.
        trial: which arm, which seed.
        stage: which stage.
        streams: its random streams.
        made: its task, and the fingerprint of that.
        device: where to compute.
        learned: the stages before.
    """

    def __init__(
        self,
        plan: Plan,
        trial: Trial,
        stage: int,
        streams: Streams,
        made: tuple[Task, Fingerprint],
        device: str,
        learned: list[Learned],
    ) -> None:
        self.plan, self.trial, self.i, self.streams = plan, trial, stage, streams
        self.task, self.fingerprint = made
        self.device, self.learned = torch.device(device), learned
        self.stage, self.arm = plan.stages[stage], plan.arms[trial.arm]
        self.policy = self.arm.policy
        self.connect = plan.connect(stage, trial.arm)
        self.columns: tuple[int, ...] = ()
        self.readouts: list[int] = []
        self.failed: list[NotScored] = []
        self.budget = Budget(self.stage.evaluations, self.stage.frames)
        with calling("learner"):
            self.budget.visits = self.stage.learner.visits(self.task, self.budget)

    def prepare(self, pool: ModulePool | None) -> tuple[ModulePool, list[Start], list[Record]]:
        """The pool at the start of the stage, paths on its free modules, and records to emit."""
        if pool is None:
            pool = self.plan.make_pool(self.task.input_shape, str(self.device))
            pool.initialise(lambda layer: self.streams.torch("init", layer))
            return pool, [], []
        transfer, width = self.plan.config.transfer, self.plan.config.pool.width
        initial = self.policy.initial_modules or transfer.initial_modules
        prior = self._prior(pool, initial)
        ranked = list(reversed(range(self.i))) if prior is None else prior.ranked
        self.readouts, tried = self._readouts(pool, ranked)
        whole = tried is not None and bool(self.readouts)
        if whole:  # a policy that plays is copied as it is, before all others
            ranked = [*self.readouts, *(j for j in ranked if j not in self.readouts)]
        beginning = Beginning(
            pool=pool,
            streams=self.streams,
            width=width,
            learned=[stage.path for stage in self.learned],
            ranked=ranked,
            wanted=self._wanted(pool, ranked, prior, tried),
            reinitialise=transfer.reinitialise,
            grow=int(transfer.grow),
            initial_modules=initial,
            copied_layers={} if whole else self._copied_layers(pool, prior),
            copied_share=1.0 if whole else transfer.copied_share,
        )
        with calling("transfer policy"):
            starts, grown = self.policy.begin(beginning)
        if prior is not None and prior.unfamiliar and all(s.copy_of is not None for s in starts):
            starts = [replace(start, retrain=True) for start in starts]
        elif self.connect == "lateral" and self.policy.listens:
            worth = ranked if prior is None else prior.telling()
            self.columns = self._affordable(worth, transfer.max_columns)
        records: list[Record] = [*self.failed]
        if self.policy.freezes:
            records.append(
                TransferPlanned(
                    self.trial.id,
                    self.i,
                    self.connect,
                    self.columns,
                    tuple((self._words(start), start.rows) for start in starts),
                    None if prior is None else vars(prior),
                    None if tried is None else tried.state(),
                )
            )
        records += [
            Saturated(self.trial.id, self.i, g.layer, g.free, width, g.added) for g in grown
        ]
        return pool, starts, records

    def _affordable(self, ranked: Sequence[int], most: int) -> tuple[int, ...]:
        """The stages to listen to: the first of ``ranked``, within a bound on computed paths."""
        chosen: list[int] = []
        computed: set[int] = set()
        for stage in ranked:
            needed = computed | self._computed(stage)
            if len(needed) <= most:
                chosen.append(stage)
                computed = needed
        return tuple(sorted(chosen))

    def _computed(self, stage: int) -> set[int]:
        """A stage, and all stages that its path listens to, directly or indirectly."""
        columns = self.learned[stage].head.columns
        heard = () if columns is None else columns.stages
        return {stage}.union(*map(self._computed, heard))

    def _copied_layers(self, pool: ModulePool, prior: Prior | None) -> dict[int, int]:
        """How many layers copies of an earlier stage's path take, where it is not all of them.

        With few examples a copy of the whole path was up to 4 points better. With many a copy of
        its lower half was 1 point better, or, where layers tell more of the new task than those
        below, of all up to the most telling one: what lies above suits the task that it learned
        (Yosinski et al. 2014).
        """
        wanted, visits = self.plan.config.transfer.copied_layers, self.budget.visits
        if wanted is None and (visits is None or visits >= FEW_EXAMPLES):
            return {}
        layers = len(pool.layers)
        half = max(layers // 2, 1)
        copied = {
            stage: wanted or (half if prior is None else prior.layers_to_copy(stage, half))
            for stage in range(self.i)
        }
        return {stage: some for stage, some in copied.items() if some < layers}

    def _wanted(
        self, pool: ModulePool, ranked: Sequence[int], prior: Prior | None, tried: Tried | None
    ) -> list[int | None]:
        """How a new path can start: as copies, fresh (None), or either, to race them.

        What plays the task already is copied, and what was tried and does not is not.

        If the first layer has a weight for every position of its input, copies scored up to 10
        points below fresh modules that listen to the same path, and never clearly above.
        """
        if tried is not None:
            return [tried.best]
        if not pool.layers[0].kind.shares_weights:
            return [None]
        return [None, *ranked] if prior is None else prior.starts()

    def _prior(self, pool: ModulePool, initial: InitialModules) -> Prior | None:
        """How well earlier paths separate the task's classes, if configured.

        Examples that are held out for fitness are not looked at.
        """
        wanted, task = self.plan.config.transfer.prior, self.task
        useful = self.policy.listens and (self.connect == "lateral" or initial != "fresh")
        if wanted is False or not useful or not isinstance(task, SupervisedTask):
            return None
        rows = examples(self.stage.learner, task, self.streams, "prior")[:MOST]
        rows = rows.to(task.inputs.device)
        x, labels = task.prepare(task.inputs[rows]), task.labels[rows]
        networks = {j: self.learned[j].network(pool) for j in range(self.i)}
        last = networks[self.i - 1]
        untrained = [
            last.untrained(self.streams.torch("prior/random", n)) for n in range(UNTRAINED)
        ]
        n = task.n_classes

        def told(network: PathNetwork) -> Tells:
            with torch.no_grad():
                units = [network.units(part) for part in torch.split(x, AT_ONCE)]
            return tells([torch.cat(part) for part in zip(*units, strict=True)], labels, n)

        random = [told(network) for network in untrained]
        stages = {j: told(network) for j, network in networks.items()}
        alone = {
            j: told(self._alone(pool, j)) if network.columns is not None else stages[j]
            for j, network in networks.items()
        }
        return Prior(
            examples=len(rows),
            raw=tells([x], labels, n).accuracy,
            random=sum(one.accuracy for one in random) / UNTRAINED,
            stages={j: one.accuracy for j, one in stages.items()},
            chance=1 / n,
            alone={j: one.accuracy for j, one in alone.items()},
            explained={j: one.explained for j, one in alone.items()},
            explained_random=sum(one.explained for one in random) / UNTRAINED,
            by_layer={j: one.by_layer for j, one in alone.items()},
        )

    def _alone(self, pool: ModulePool, stage: int) -> PathNetwork:
        """An earlier path without what it hears."""
        learned = self.learned[stage]
        return pool.network(learned.path, TaskHead(pool.layers, learned.head.readout))

    def _inputs(self, task: Task, stage: int) -> Tensor:
        """Some inputs of a task, prepared for the network."""
        learner = self.plan.stages[stage].learner
        streams = Streams(self.trial.seed, stage)
        return learner.inputs(task, FITTED, streams).to(self.device)

    def listened(self, head: dict[str, Any]) -> tuple[int, ...]:
        """The stages that a head listened to, from its state."""
        columns = head.get("columns")
        return () if columns is None else tuple(columns["stages"])

    def head(self, pool: ModulePool, columns: Sequence[int]) -> TaskHead:
        """A new head that listens to the paths of earlier stages."""
        with calling("readout", TaskError):
            readout = self.stage.learner.readout(pool, self.task, self.streams.torch("readout"))
        if not columns:
            return TaskHead(pool.layers, readout)
        heard = [self._heard(pool, stage) for stage in columns]
        return TaskHead(pool.layers, readout, Columns(columns, heard).to(self.device))

    def _heard(self, pool: ModulePool, stage: int) -> PathNetwork:
        """What a new head hears of an earlier stage.

        A frozen path that other columns hear already is theirs, so that it is computed once.
        """
        network = pool.network(self.learned[stage].path, self.learned[stage].head)
        heard = self.policy.column(network, stage, self.streams)
        if heard is not network or not self.policy.freezes:
            return heard
        others = (learned.head.columns for learned in self.learned)
        for columns in (each for each in others if each is not None):
            if stage in columns.stages:
                return columns.networks[columns.stages.index(stage)]  # type: ignore[return-value]
        return heard

    def _readouts(self, pool: ModulePool, ranked: Sequence[int]) -> tuple[list[int], Tried | None]:
        """The stages whose readout the new one can start as, and how they were tried if they were.

        If so configured: those with the same outputs, the most suitable first, or, with ``auto``,
        the one that plays the new task best, if it clearly plays it at all.
        """
        own = self.policy.copy_readout
        wanted = self.plan.config.transfer.copy_readout if own is None else own
        if not wanted or not self.policy.remembers:
            return [], None
        fit = [j for j in ranked if _same_outputs(self.learned[j].task, self.task)]
        if wanted != "auto":
            return fit, None
        tried = self._tried(pool, fit)
        best = None if tried is None else tried.best
        return [] if best is None else [best], tried

    def _tried(self, pool: ModulePool, stages: Sequence[int]) -> Tried | None:
        """How random actions and the networks of earlier stages play the new task.

        What fails, such as an environment, or a network on observations that it cannot take, is
        noted, and is not a beginning.
        """

        def returns(of: int | None) -> Sequence[float] | None:
            network = None if of is None else self.learned[of].network(pool)
            play = partial(self.stage.learner.returns, network, self.task, self.streams)
            return scored(play, self.failed.append, self.trial.id, self.i, of=of)

        random = returns(None) if stages else None
        if random is None:
            return None
        found = {stage: returns(stage) for stage in stages}
        return Tried(random, {j: played for j, played in found.items() if played is not None})

    def _words(self, start: Start) -> str:
        """What a start holds, for people."""
        with_readout = self.readouts and start.copy_of == self.readouts[0]
        return f"{start}, and its readout" if with_readout else str(start)

    def _copy_readout(self, head: TaskHead) -> None:
        """Start the readout as an earlier task's, if one was chosen and it fits."""
        for theirs in (self.learned[j].head.readout for j in self.readouts):
            if head.readout.takes(theirs):
                head.readout.overwrite(theirs)
                return

    def stage_run(
        self,
        pool: ModulePool,
        starts: list[Start],
        emit: Emit,
        resumed: dict[str, Any] | None,
        note: Callable[[NotScored], None],
    ) -> StageRun:
        """The stage, ready to run."""
        stage, arm, here = self.stage, self.arm, self.streams
        if resumed is None:
            head = self.head(pool, self.columns)
            self._copy_readout(head)
            if head.columns is not None:
                homes = [self._inputs(self.learned[j].task, j) for j in self.columns]
                head.fit(self._inputs(self.task, self.i), homes, stage.learner.heard_energy)
            wanted = self.plan.config.transfer.fitted_readout
            fit_readout(head, stage.learner, self.task, self.budget, here, wanted)
        else:
            head = self.head(pool, self.listened(resumed.get("head", {})))
            starts = [Start.of(state) for state in resumed.get("starts", [])]
        with calling("strategy", StrategyError):
            strategy = arm.strategy(
                pool.shape(self.plan.config.pool.width),
                here.python("genotype"),
                arm.settings,
                frozen=pool.frozen_path(),
                starts=starts,
                budget=self.budget,
            )
        context = LearningContext(
            pool,
            head,
            self.task,
            self.device,
            here,
            self.connect == "sum",
            budget=self.budget,
        )
        if resumed is None:
            random_baseline = scored(self._random_baseline, note, self.trial.id, self.i)
        else:
            random_baseline = resumed["chance"]
        started = StageStarted(
            trial=self.trial.id,
            stage=self.i,
            task=stage.name or self.task.name,
            budget=self.budget.total,
            by_frames=stage.frames is not None,
            random_baseline=random_baseline,
            population=tuple(tuple(map(tuple, genotype)) for genotype in strategy.population),
            frozen=pool.frozen_path(),
            counts=tuple(len(layer) for layer in pool.layers),
            fitness_name=type(stage.learner).fitness_name,
            unit=type(stage.learner).unit,
        )
        rate = self.plan.config.transfer.duplication
        duplication = Duplication(pool, rate, here.python("duplication"), head) if rate else None
        return StageRun(
            stage,
            self.plan.engine,
            strategy,
            context,
            started,
            self.fingerprint,
            emit,
            duplication,
        )

    def _random_baseline(self) -> float | None:
        found = self.stage.learner.random_baseline(self.task, self.streams)
        return None if found is None else float(found)


def _same_outputs(a: Task, b: Task) -> bool:
    """Whether two tasks have the same classes, which must have names, or the same actions.

    Actions without names are the same where they are as many and of one kind.
    """
    if isinstance(a, SupervisedTask) and isinstance(b, SupervisedTask):
        return bool(a.class_names) and a.class_names == b.class_names
    if isinstance(a, EnvironmentTask) and isinstance(b, EnvironmentTask):
        return (a.n_actions, a.continuous, a.actions) == (b.n_actions, b.continuous, b.actions)
    return False
