"""A run made ready: every section of the configuration as the plugin's own settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from pathnet_evo import memory
from pathnet_evo.aggregate import AGGREGATES
from pathnet_evo.config import ConfigError, Problem, RunConfig, StageConfig, problems
from pathnet_evo.engines.base import Engine
from pathnet_evo.genotype import PathError, PathShape
from pathnet_evo.learners import Learner
from pathnet_evo.modules import ModuleKind, ShapeError
from pathnet_evo.plugin_calls import PluginFailed, calling
from pathnet_evo.plugins import PluginError, Registry
from pathnet_evo.policies.base import Connect, TransferPolicy
from pathnet_evo.pool import ModulePool
from pathnet_evo.strategies.base import Strategy, StrategySettings
from pathnet_evo.streams import Streams, lend
from pathnet_evo.tasks import Task, TaskContext, TaskError, TaskSettings

Model = TypeVar("Model", bound=BaseModel)


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
class Trial:
    """One arm and one seed: an independent job."""

    id: int
    arm: str
    seed: int


@dataclass(frozen=True)
class Plan:
    """Everything that a trial needs, each part typed and checked."""

    config: RunConfig
    kinds: tuple[ModuleKind, ...]
    arms: dict[str, Arm]
    stages: tuple[Stage, ...]
    engine: Engine

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
        """Whether processes are started, for trials side by side or within one."""
        side_by_side = self.config.jobs > 1 and len(self.trials) > 1
        within = self.engine.processes or any(stage.learner.processes for stage in self.stages)
        return bool(side_by_side or within)

    @property
    def trials(self) -> list[Trial]:
        """Seed by seed, each with all arms, so that arms can be compared early."""
        seeds = range(self.config.seed, self.config.seed + self.config.seeds)
        pairs = [(arm, seed) for seed in seeds for arm in self.arms]
        return [Trial(i, arm, seed) for i, (arm, seed) in enumerate(pairs)]

    def make_task(self, stage: int, streams: Streams, pool: ModulePool | None) -> Task:
        """The task of a stage for one seed.

        Raises:
            ConfigError: it cannot be made, or does not fit its learner or the pool.
        """
        given = self.config.pool.input if pool is None else pool.input_shape
        settings = [s.task for s in self.stages]
        wanted = self.stages[stage]
        place = f"stages.{stage}.task"
        try:
            with lend(streams.at(stage).python("global/task")), calling("make", TaskError):
                task = wanted.task.make(TaskContext(streams, stage, settings, given))
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
                [Problem(place, f"examples are {task.input_shape}, but the pool takes {given}")]
            )
        return task

    def task_of(self, stage: int, seed: int) -> Task:
        """The task of a stage for one seed, apart from any trial.

        Raises:
            ConfigError: it cannot be made.
        """
        streams, pool = Streams(seed), None
        if stage > 0 and self.config.pool.input is None:
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
        copies = 2 * min(config.jobs, config.seeds * len(self.arms))
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
        found: list[Problem] = []
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
                    stage.learner.check(task)
            except (TaskError, PluginFailed) as error:
                found.append(Problem(f"stages.{i}.learner", str(error)))
            except ConfigError as error:
                found += error.problems
        if found:
            raise ConfigError(found)

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


def resolve(config: RunConfig, registry: Registry, source: str = "") -> Plan:
    """Let every plugin check its own section.

    Raises:
        ConfigError: everything that is wrong, at once.
    """
    found: list[Problem] = []
    kinds: list[ModuleKind] = []
    for i, layer in enumerate(config.pool.layers):
        place = f"pool.layers.{i}"
        repeat = layer.get("repeat", 1)
        if type(repeat) is not int or repeat < 1:
            found.append(
                Problem(f"{place}.repeat", f"expected a whole number from 1, got {repeat!r}")
            )
            repeat = 1
        lack = memory.lacking(f"{repeat} layers", memory.LAYER * repeat)
        if lack:
            found.append(Problem(f"{place}.repeat", lack))
            repeat = 1
        options = {key: value for key, value in layer.items() if key != "repeat"}
        kind = _plugin(registry, "modules", options, place, found, lambda c: c, key="kind")
        kinds += [kind] * repeat if kind else []
    shape: PathShape | None = None
    try:
        shape = PathShape(len(kinds) or 1, config.pool.modules, config.pool.width)
    except PathError as error:
        found.append(Problem("pool.width", str(error)))
    base = _plugin(registry, "strategies", config.strategy, "strategy", found, _settings_of)
    arms: dict[str, Arm] = {}
    for i, arm in enumerate(config.arms):
        place = "strategy" if arm.strategy is None else f"arms.{i}.strategy"
        section = config.strategy if arm.strategy is None else _inherit(arm.strategy, base)
        before = len(found)
        settings = _plugin(registry, "strategies", section, place, found, _settings_of)
        if arm.strategy is None:
            del found[before:]
        if arm.name in arms:
            found.append(Problem(f"arms.{i}", f"{arm.name!r} is there twice"))
        if settings is not None:
            strategy = registry.get("strategies", str(section["name"]))
            policy = _plugin(
                registry, "policies", arm.transfer, f"arms.{i}.transfer", found, lambda c: c
            )
            arms[arm.name] = Arm(arm.name, strategy, settings, policy)
            wide = getattr(settings, "width", None)
            if wide is not None and wide > config.pool.modules:
                text = f"{wide} modules of {config.pool.modules} a layer (pool.modules)"
                found.append(Problem(f"{place}.width", text))
            genotypes = max(settings.population, settings.generation_size)
            need = memory.of_population(genotypes, len(kinds), config.pool.width)
            lack = memory.lacking(f"{genotypes} genotypes", need)
            if lack and not any(problem.text == lack for problem in found):
                found.append(Problem(f"{place}.population", lack))
    engine = _plugin(registry, "engines", config.engine, "engine", found, lambda c: c)
    whole = _plugin(registry, "learners", config.learner, "learner", found, lambda c: c)
    stages = []
    for i, stage in enumerate(config.stages):
        made = _stage(i, stage, whole, base, config, registry, found)
        if made is not None:
            stages.append(made)
            if made.learner.in_place and engine is not None and not engine.shares_pool:
                found.append(
                    Problem(
                        f"stages.{i}.learner",
                        f"{type(made.learner).__name__} trains the pool in place, which engine "
                        f'"{config.engine["name"]}" cannot do: leave engine out, and use '
                        "learner.workers",
                    )
                )
    found += _connections(config, arms, stages, kinds)
    found += _processes(config, engine)
    if found or shape is None:
        raise ConfigError(found, source)
    return Plan(config, tuple(kinds), arms, tuple(stages), engine)


def _connections(
    config: RunConfig,
    arms: Mapping[str, Arm],
    stages: Sequence[Stage],
    kinds: Sequence[ModuleKind],
) -> list[Problem]:
    """Where learners and modules are asked to let paths hear columns, and cannot."""
    found = []
    mute = sorted({str(type(kind).__name__) for kind in kinds[1:] if not kind.hears})
    for place, wanted in [
        ("transfer.connect", config.transfer.connect),
        *(
            (f"arms.{i}.transfer.connect", a.policy and a.policy.connect)
            for i, a in enumerate(arms.values())
        ),
    ]:
        deaf = {type(s.learner).__name__ for s in stages[1:] if not type(s.learner).listens}
        if wanted == "lateral" and deaf:
            text = f'learner {", ".join(sorted(deaf))} cannot: use "named" or "sum"'
            found.append(Problem(place, text))
        if wanted == "lateral" and mute:
            text = f'modules of kind {", ".join(mute)} cannot hear columns: use "named" or "sum"'
            found.append(Problem(place, text))
    return found


def _processes(config: RunConfig, engine: Engine | None) -> list[Problem]:
    """What is wrong with the number of trials, and of the processes that they run in."""
    trials = config.seeds * len(config.arms)
    lack = memory.lacking(f"{trials} trials", memory.TRIAL * trials)
    if lack:
        return [Problem("seeds", lack)]
    jobs = min(config.jobs, trials)
    workers = 0 if engine is None else engine.processes
    found = []
    if jobs > 1 and (lack := memory.lacking(f"{jobs} processes", memory.PROCESS * jobs)):
        found.append(Problem("jobs", lack))
    elif workers and (
        lack := memory.lacking(f"{jobs * workers} processes", memory.PROCESS * jobs * workers)
    ):
        found.append(Problem("engine.workers", lack))
    return found


def _stage(
    i: int,
    stage: StageConfig,
    whole: Learner | None,
    strategy: StrategySettings | None,
    config: RunConfig,
    registry: Registry,
    found: list[Problem],
) -> Stage | None:
    task = _plugin(registry, "tasks", stage.task, f"stages.{i}.task", found, lambda c: c)
    learner = whole
    if stage.learner is not None:
        place = f"stages.{i}.learner"
        learner = _plugin(registry, "learners", stage.learner, place, found, lambda c: c)
    if task is None or learner is None or strategy is None:
        return None
    return Stage(
        name=stage.name,
        task=task,
        learner=learner,
        evaluations=None if stage.frames else stage.generations * strategy.generation_size,
        frames=stage.frames,
        threshold=stage.threshold,
    )


def _settings_of(strategy: type[Strategy]) -> type[StrategySettings]:
    return strategy.Settings


def _inherit(section: dict[str, Any], base: StrategySettings | None) -> dict[str, Any]:
    """A control's section, with what the configured strategy says of every strategy's options."""
    if base is None:
        return section
    shared = {name: getattr(base, name) for name in StrategySettings.model_fields}
    return {**{name: value for name, value in shared.items() if value is not None}, **section}


def _plugin(
    registry: Registry,
    family: str,
    section: dict[str, Any],
    place: str,
    found: list[Problem],
    model_of: Callable[[Any], type[Model]],
    key: str = "name",
) -> Any:
    """A section as its plugin's model; None, and the problems in ``found``, where it is wrong."""
    options = dict(section)
    name = options.pop(key, None)
    if not isinstance(name, str):
        found.append(
            Problem(f"{place}.{key}", "missing" if name is None else f"not a name: {name!r}")
        )
        return None
    try:
        model = model_of(registry.get(family, name))
        with calling("", ValidationError, PluginError):
            return model.model_validate(options, context={"operators": registry.operators})
    except (PluginError, PluginFailed) as error:
        found.append(Problem(f"{place}.{key}", str(error)))
    except ValidationError as error:
        found.extend(problems(error, model, place))
    return None
