"""PathNet in memory: tasks are learned as they come, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import PrivateAttr

from pathnet_evo.core.head import TaskHead
from pathnet_evo.core.network import PathNetwork
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams, borrow
from pathnet_evo.errors import UserError
from pathnet_evo.interfaces.fingerprint import Fingerprint
from pathnet_evo.interfaces.learners import Learner
from pathnet_evo.interfaces.records import Emit, StageFinished
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.interfaces.tasks import SupervisedTask, Task, TaskContext, TaskSettings
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup.plan import Plan
from pathnet_evo.setup.preparing import device_of, prepare
from pathnet_evo.trial.learned import Learned
from pathnet_evo.trial.measuring import with_fresh_readout
from pathnet_evo.trial.trial import Checkpointer, learn_sequence


class PathNet:
    """PathNet in memory, for tasks that come one by one, as tensors.

    A stage gives the bits that ``launch`` gives with the same tasks, configuration and seed.

    Args:
        config: a configuration without ``stages``; the first of ``arms`` learns, by default
            ``pathnet``. Its transfer policy must freeze what was learned.
        generations: budget of a task, in generations of the strategy.
        registry: the plugins; by default all that are installed.
        on_record: called with every record, in order.

    Attributes:
        device: where networks are: ``cpu`` or ``cuda``.

    Raises:
        ConfigError: everything that is wrong with the configuration.
        UserError: the arm does not freeze.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        generations: int = 50,
        *,
        registry: Registry | None = None,
        on_record: Emit = lambda record: None,
    ) -> None:
        given = {"arms": ["pathnet"], **config}
        # A stage needs a task to be checked; each task that is learned takes its place.
        given["stages"] = [{"task": {"name": "digits"}, "generations": generations}]
        registry = Registry() if registry is None else registry
        plan = prepare(given, (), registry, rehearse=False)
        self._template, self._plan = plan.stages[0], replace(plan, stages=())
        self.on_record = on_record
        arm = next(iter(plan.arms))
        if not plan.arms[arm].policy.freezes:
            raise UserError(
                f"arm {arm!r} freezes nothing, so its networks do not last: use pathnet"
            )
        self._trial, self.device = Trial(0, arm, plan.config.seed), device_of(plan)
        self._state = _State()

    @property
    def learner(self) -> Learner:
        """The learner that trains and scores paths."""
        return self._template.learner

    @property
    def n_learned(self) -> int:
        """Number of tasks that were learned."""
        return len(self._state.learned)

    def learn(
        self, task: SupervisedTask, ends: Callable[[], bool] = lambda: False
    ) -> StageFinished:
        """Learn the next task, and freeze its path. If this raises, the task was not learned.

        Args:
            task: of the same input shape as the first one.
            ends: asked between rounds of evolution; true ends the stage early.

        Returns:
            How the stage ended, with the test scores of all tasks so far.

        Raises:
            ConfigError: the task fits neither the learner nor the pool.
            StageFailed: evaluations failed one after another.
        """
        stage = replace(self._template, task=_Given.of(task))
        replace(self._plan, stages=(stage,)).rehearse()
        plan = replace(self._plan, stages=(*self._plan.stages, stage))
        state, layers = _State(), [] if self._state.pool is None else self._state.pool.layers
        before = [layer.state() for layer in layers]
        try:
            learn_sequence(
                plan,
                self._trial,
                self.device,
                self.on_record,
                checkpointer=state,
                ends=lambda stage: ends(),
                begun=(self._state.pool, list(self._state.learned)),
            )
        except BaseException:
            for layer, kept in zip(layers, before, strict=True):
                layer.restore(kept)
            raise
        assert state.finished_as is not None
        self._plan, self._state = plan, state
        return state.finished_as

    def network(self, stage: int) -> PathNetwork:
        """A task's network, with the weights that the pool has now.

        Args:
            stage: index of the task, in the order of learning.

        Raises:
            UserError: it was not learned yet.
        """
        if self._state.pool is None or not 0 <= stage < self.n_learned:
            raise UserError(f"no task {stage} (learned so far: {self.n_learned})")
        return self._state.learned[stage].network(self._state.pool)

    def before_training(self, task: SupervisedTask) -> PathNetwork:
        """The network that the metric FWT measures before the next task is learned.

        It has the features of the last task's network and a fresh readout; before
        the first task its features are not trained either.
        """
        streams = Streams(self._trial.seed, self.n_learned)
        with borrow():
            task = task.to(self.device)
            pool, last = self._state.pool, self._state.learned[-1:]
            if pool is None:
                pool = self._plan.make_pool(task.input_shape, self.device)
                pool.initialise(lambda layer: streams.torch("init", layer))
                last = [_first(self._plan, pool, self.learner, task, streams)]
            return with_fresh_readout(pool, last[0], self.learner, task, streams)


class _State(Checkpointer):
    """What a trial has learned so far, kept in memory."""

    def __init__(self) -> None:
        self.pool: ModulePool | None = None
        self.learned: list[Learned] = []
        self.finished_as: StageFinished | None = None

    def finished(self, pool: ModulePool, learned: list[Learned], record: StageFinished) -> None:
        """Keep it."""
        self.pool, self.learned, self.finished_as = pool, [*learned], record


class _Given(TaskSettings):
    """A task that exists already."""

    _task: Task = PrivateAttr()

    @classmethod
    def of(cls, task: Task) -> _Given:
        """Settings that give the task."""
        settings = cls()
        settings._task = task
        return settings

    def make(self, context: TaskContext) -> Task:
        """The task."""
        return self._task


def _first(
    plan: Plan, pool: ModulePool, learner: Learner, task: SupervisedTask, streams: Streams
) -> Learned:
    """A full-width path of a pool in which nothing was learned."""
    path = (tuple(range(plan.config.pool.width)),) * len(pool.layers)
    head = TaskHead(pool.layers, learner.readout(pool, task, streams.torch("readout")))
    return Learned(task.name, task, learner, path, head, Fingerprint.of(task))
