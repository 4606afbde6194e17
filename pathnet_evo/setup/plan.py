"""A run made ready: every section of the configuration as the plugin's own settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from typing_extensions import get_protocol_members

from pathnet_evo.core.aggregate import AGGREGATES
from pathnet_evo.core.modules import ModuleKind, Shape, ShapeError
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams, lend
from pathnet_evo.interfaces import memory
from pathnet_evo.interfaces.budget import Budget
from pathnet_evo.interfaces.engines import Engine
from pathnet_evo.interfaces.executors import Executor, ExecutorError
from pathnet_evo.interfaces.learners import Learner
from pathnet_evo.interfaces.policies import Connect, TransferPolicy
from pathnet_evo.interfaces.population import StrategyError
from pathnet_evo.interfaces.rivals import Rival
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.interfaces.strategies import Strategy
from pathnet_evo.interfaces.strategy_settings import StrategySettings
from pathnet_evo.interfaces.tasks import (
    EnvironmentTask,
    SupervisedTask,
    Task,
    TaskContext,
    TaskError,
    TaskSettings,
)
from pathnet_evo.setup.config import RunConfig
from pathnet_evo.setup.dry_run import evolve_on_nothing
from pathnet_evo.setup.problems import ConfigError, Problem
from pathnet_evo.system.plugin_calls import PluginFailed, calling


@dataclass(frozen=True)
class Stage:
    """One task of the sequence, and how it is learned.

    Args:
        name: what reports call it; None is the task's own name.
        task: the task's settings.
        learner: who learns it.
        evaluations: budget; the same for every arm. None where ``frames`` is the budget.
        frames: budget in examples or frames, or None.
        threshold: a fitness that ends the stage, or None.
    """

    name: str | None
    task: TaskSettings
    learner: Learner
    evaluations: int | None
    frames: int | None
    threshold: float | None


@dataclass(frozen=True)
class Arm:
    """A strategy and a transfer policy, nothing more."""

    name: str
    strategy: type[Strategy]
    settings: StrategySettings
    policy: TransferPolicy


@dataclass(frozen=True)
class Plan:
    """Everything that a trial needs, each part typed and checked."""

    config: RunConfig
    kinds: tuple[ModuleKind, ...]
    arms: dict[str, Arm]
    stages: tuple[Stage, ...]
    engine: Engine
    executor: Executor

    @property
    def deterministic(self) -> bool:
        """Whether equal seeds give equal results, bit for bit."""
        learners = all(stage.learner.deterministic for stage in self.stages)
        return self.engine.deterministic and learners

    def connect(self, stage: int, arm: str) -> Connect:
        """How frozen modules enter a stage's paths in an arm."""
        learner = type(self.stages[stage].learner)
        default = learner.connect
        if default == "lateral" and not all(kind.hears for kind in self.kinds[1:]):
            default = learner.published
        wanted = self.arms[arm].policy.connect or self.config.transfer.connect or default
        return learner.published if wanted == "published" else wanted

    @property
    def spawns(self) -> bool:
        """Whether processes are started here, for trials or within one."""
        within = self.engine.processes or any(stage.learner.processes for stage in self.stages)
        return bool(self.executor.processes or within)

    @property
    def trials(self) -> list[Trial]:
        """Seed by seed, each with all arms, so that arms can be compared early."""
        seeds = range(self.config.seed, self.config.seed + self.config.seeds)
        pairs = [(arm, seed) for seed in seeds for arm in self.arms]
        return [Trial(i, arm, seed) for i, (arm, seed) in enumerate(pairs)]

    def pictured_task(self, stage: int, seed: int) -> Task:
        """The task of a stage with pictures for inputs, if it has any.

        Raises:
            TaskError, PluginFailed: it cannot be made.
        """
        with self._making("pictured", stage, Streams(seed)) as context:
            return self.stages[stage].task.pictured(context)

    @contextmanager
    def _making(
        self, what: str, stage: int, streams: Streams, shape: Shape | None = None
    ) -> Iterator[TaskContext]:
        """What a task is made from, with the random numbers that it may draw."""
        settings = [each.task for each in self.stages]
        with lend(streams.at(stage).python("global/task")), calling(what, TaskError):
            yield TaskContext(streams, stage, settings, shape)

    def make_task(self, stage: int, streams: Streams, pool: ModulePool | None) -> Task:
        """The task of a stage for one seed.

        Raises:
            ConfigError: it cannot be made, or does not fit its learner or the pool.
        """
        given = self.config.pool.input_shape if pool is None else pool.input_shape
        wanted = self.stages[stage]
        place = f"stages.{stage}.task"
        try:
            with self._making("make", stage, streams, given) as context:
                task = wanted.task.make(context)
        except (TaskError, PluginFailed) as error:
            raise ConfigError([Problem(place, str(error))]) from None
        if not isinstance(task, wanted.learner.takes):
            learner = wanted.learner
            raise ConfigError(
                [
                    Problem(
                        place,
                        f"a {type(task).__name__}, but learner {type(learner).__name__} takes a "
                        f"{learner.takes.__name__}",
                    )
                ]
            )
        if given is not None and tuple(task.input_shape) != tuple(given):
            raise ConfigError(
                [
                    Problem(
                        place,
                        f"examples are {tuple(task.input_shape)}, but the pool takes "
                        f"{tuple(given)}: leave size and channels out, or set them for all stages",
                    )
                ]
            )
        return task

    def task_of(self, stage: int, seed: int) -> Task:
        """The task of a stage for one seed, apart from any trial.

        Raises:
            ConfigError: it cannot be made.
        """
        streams, pool = Streams(seed), None
        if stage > 0 and self.config.pool.input_shape is None:
            pool = self.make_pool(self.make_task(0, streams, None).input_shape, "meta")
        return self.make_task(stage, streams, pool)

    def make_pool(self, input_shape: tuple[int, ...], device: str) -> ModulePool:
        """The pool, not yet initialised.

        Raises:
            ConfigError: a layer cannot take its input.
        """
        pool = self.config.pool
        try:
            return ModulePool(
                self.kinds,
                pool.modules,
                input_shape,
                aggregate=AGGREGATES[pool.aggregate],
                device=device,
            )
        except ShapeError as error:
            raise ConfigError([Problem("pool.layers", str(error))]) from None

    def _check_memory(self, input_shape: tuple[int, ...]) -> None:
        """Refuse a pool that the machine cannot hold: each trial's, and its copy in a checkpoint.

        Raises:
            ConfigError: there is too little memory, or a layer cannot take its input.
        """
        config, pool = self.config, self.config.pool
        modules = pool.modules + int(config.transfer.grow) * (len(self.stages) - 1)
        try:
            each = memory.of_pool(self.kinds, modules, input_shape)
        except ShapeError as error:
            raise ConfigError([Problem("pool.layers", str(error))]) from None
        copies = 2 * min(max(self.executor.processes, 1), len(self.trials))
        lack = memory.lacking(f"{len(self.kinds)} layers of {modules} modules", copies * each)
        if lack:
            raise ConfigError([Problem("pool", lack)])

    def rehearse(
        self,
        made: Callable[[int, Task], None] = lambda stage, task: None,
        seeds: Mapping[int, int] = {},
    ) -> None:
        """Make the pool and every task once, so that what is missing shows before a run begins.

        Args:
            made: called with each stage and its task.
            seeds: the seed of a stage's task, where it is not the run's first.

        Raises:
            ConfigError: everything that is wrong with tasks and shapes.
        """
        of_stages: list[list[Problem]] = [[] for _ in self.stages]
        pool: ModulePool | None = None
        for i, stage in enumerate(self.stages):
            try:
                task = self.make_task(i, Streams(seeds.get(i, self.config.seed)), pool)
                if pool is None:
                    pool = self._rehearse_pool(task)
                made(i, task)
                with calling("", TaskError):
                    outputs = stage.learner.outputs(task)
                    need = memory.of_readout(outputs, pool.feature_shape)
                    if lack := memory.lacking(f"{outputs} outputs", need):
                        raise TaskError(lack)
                    _check_actions(stage.learner, task)
                    if not (stage.learner.own_workers and self.engine.hosts_workers):
                        stage.learner.check(task)
                    stage.learner.check_budget(task, Budget(stage.evaluations, stage.frames))
            except (TaskError, PluginFailed) as error:
                of_stages[i].append(Problem(f"stages.{i}.learner", str(error)))
            except ConfigError as error:
                of_stages[i] += error.problems
        found = [*_said_once(of_stages), *dict.fromkeys(self._check_strategies(pool))]
        found += [*self._check_policies(), *self._check_copies()]
        for place, part in (("executor", self.executor), ("engine", self.engine)):
            try:
                with calling("check", ExecutorError):
                    part.check()
            except (ExecutorError, PluginFailed) as error:
                found.append(Problem(place, str(error)))
        if found:
            raise ConfigError(found)

    def _check_strategies(self, pool: ModulePool | None) -> Iterator[Problem]:
        """Refuse operators that fail, and children that inherit but are evaluated too early."""
        for i, (arm, section) in enumerate(zip(self.arms.values(), self.config.arms, strict=True)):
            place = "strategy" if section.strategy is None else f"arms.{i}.strategy"
            if arm.settings.inherit and not arm.strategy.inherits:
                name = (section.strategy or self.config.strategy)["name"]
                yield Problem(
                    f"{place}.inherit",
                    f"a child of {name} enters the population after its evaluation, too late to "
                    "inherit: set it to false",
                )
            if pool is None:
                continue
            try:
                shape = pool.shape(self.config.pool.width)
                evolve_on_nothing(arm.strategy, arm.settings, shape)
            except (StrategyError, PluginFailed) as error:
                yield Problem(place, str(error))

    def _check_policies(self) -> Iterator[Problem]:
        for i, arm in enumerate(self.arms.values()):
            try:
                with calling("check", ValueError):
                    arm.policy.check(self.kinds)
                    if (rival := arm.policy.rival()) is not None:
                        self._check_rival(rival)
            except (ValueError, PluginFailed) as error:
                yield Problem(f"arms.{i}.transfer", str(error))

    def _check_copies(self) -> list[Problem]:
        """Refuse copies beside their originals, where every path holds all that is frozen.

        A copy would double what its original adds to a layer, since both are active.
        """
        later = range(1, len(self.stages)) or range(len(self.stages))
        found: dict[str, Problem] = {}
        for i, (name, arm) in enumerate(self.arms.items()):
            own = arm.policy.initial_modules
            initial = own or self.config.transfer.initial_modules
            summed = any(self.connect(stage, name) == "sum" for stage in later)
            if initial != "fresh" and arm.policy.freezes and summed:
                place = f"arms.{i}.transfer.initial_modules" if own else "transfer.initial_modules"
                text = (
                    f'"{initial}" cannot go with connect = "sum", where copies would count twice, '
                    'beside the frozen modules: set transfer.connect to "named" or "lateral"'
                )
                found.setdefault(place, Problem(place, text))
        return list(found.values())

    def _check_rival(self, rival: Rival) -> None:
        """Refuse what a rival cannot learn, or not as the other arms do.

        Raises:
            ValueError: a stage has no labels, a budget that is not in evaluations, a threshold, or
                a learner that the rival cannot follow.
        """
        for i, stage in enumerate(self.stages):
            if stage.learner.takes is not SupervisedTask or stage.evaluations is None:
                raise ValueError(
                    f"stages.{i}: a rival learns from examples, with a budget in generations"
                )
            if stage.threshold is not None:
                raise ValueError(
                    f"stages.{i}.threshold: a rival learns for the whole budget of a stage: leave "
                    "the threshold out, or the arm"
                )
            if lack := _cannot_follow(rival, stage.learner):
                raise ValueError(
                    f"stages.{i}: learner {type(stage.learner).__name__} has no {lack}, which the "
                    "rival follows: use another learner, such as sgd, or leave the arm out"
                )
        rival.check(
            [stage.learner for stage in self.stages],
            [stage.evaluations or 0 for stage in self.stages],
        )

    def _rehearse_pool(self, task: Task) -> ModulePool:
        """A pool for the first task that holds no numbers.

        Raises:
            ConfigError: the pool cannot be made.
        """
        try:
            with calling("", ConfigError):
                self._check_memory(task.input_shape)
                return self.make_pool(task.input_shape, "meta")
        except PluginFailed as error:
            raise ConfigError([Problem("pool.layers", str(error))]) from None


def _cannot_follow(rival: Rival, learner: Learner) -> str:
    """What a learner lacks that a rival follows, in words, or an empty text."""
    names = () if rival.follows is None else get_protocol_members(rival.follows)
    lack = sorted(name for name in names if not hasattr(learner, name))
    if learner.validates and type(learner).split_examples is Learner.split_examples:
        lack.append("split_examples")  # it holds examples out, but does not say which
    return ", ".join(lack)


def _check_actions(learner: Learner, task: Task) -> None:
    """Refuse a learner of numbered actions on a task that takes vectors."""
    vectors = isinstance(task, EnvironmentTask) and task.continuous
    if vectors and type(learner).actions_in is Learner.actions_in:
        raise TaskError(
            f"actions of {task.name} are vectors, and the learner only chooses among numbered "
            "ones: use a3c or ppo"
        )


def _said_once(of_stages: Sequence[Sequence[Problem]]) -> list[Problem]:
    """The problems of all stages; one that every stage has is said once, of ``stages.*``."""
    alike: dict[tuple[str, str], list[Problem]] = {}
    for i, found in enumerate(of_stages):
        for problem in found:
            key = tuple(
                part.replace(f"stages.{i}.", "stages.*.") for part in (problem.place, problem.text)
            )
            alike.setdefault((key[0], key[1]), []).append(problem)
    said: list[Problem] = []
    for (place, text), same in alike.items():
        said += [Problem(place, text)] if len(same) == len(of_stages) > 1 else same
    return said
