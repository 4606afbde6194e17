"""Letting every plugin check its own section of a configuration; the result is a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from pathnet_evo.core.genotype import PathError, PathShape
from pathnet_evo.core.modules import ModuleKind
from pathnet_evo.interfaces import memory
from pathnet_evo.interfaces.engines import Engine
from pathnet_evo.interfaces.executors import Executor
from pathnet_evo.interfaces.learners import Learner
from pathnet_evo.interfaces.observers import Observer
from pathnet_evo.interfaces.strategies import Strategy
from pathnet_evo.interfaces.strategy_settings import StrategySettings
from pathnet_evo.interfaces.tasks import SupervisedTask
from pathnet_evo.plugins.registry import PluginError, Registry
from pathnet_evo.setup.config import RunConfig, StageConfig
from pathnet_evo.setup.plan import Arm, Plan, Stage
from pathnet_evo.setup.problems import ConfigError, Problem, problems
from pathnet_evo.system.plugin_calls import PluginFailed, calling
from pathnet_evo.values.suggestions import nearest

UNPLAYED = '"auto" plays earlier networks: it needs a learner that acts, such as "a3c" or "ppo"'


def resolve_observers(config: RunConfig, registry: Registry) -> list[tuple[str, Observer]]:
    """The observers that a configuration asks for, by name.

    Raises:
        ConfigError: everything that is wrong with them.
    """
    found: list[Problem] = []
    made: list[tuple[str, Observer]] = []
    for i, section in enumerate(config.observers):
        place = f"observers.{i}"
        options = {key: value for key, value in section.items() if key != "name"}
        name = section.get("name")
        if not isinstance(name, str):
            found.append(_nameless(section, place, "name"))
            continue
        if name in _names(made):
            found.append(Problem(place, f"{name!r} is there twice"))
            continue
        try:
            model = registry.get("observers", name)
            with calling("", ValidationError):
                made.append((name, model.model_validate(options)))
        except (PluginError, PluginFailed) as error:
            found.append(Problem(f"{place}.name", str(error)))
        except ValidationError as error:
            found.extend(problems(error, model, place, ("name",)))
    if found:
        raise ConfigError(found)
    return made


def _names(made: Sequence[tuple[str, Observer]]) -> set[str]:
    return {name for name, _ in made}


Model = TypeVar("Model", bound=BaseModel)


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
        kind = _plugin(
            registry, "modules", layer, place, found, lambda c: c, key="kind", also=("repeat",)
        )
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
    executor = _plugin(registry, "executors", config.executor, "executor", found, lambda c: c)
    whole = _plugin(registry, "learners", config.learner, "learner", found, lambda c: c)
    stages = []
    for i, stage in enumerate(config.stages):
        made = _stage(i, stage, whole, base, config, registry, found)
        if made is not None:
            stages.append(made)
            if engine is not None and not _fits(made.learner, engine):
                found.append(
                    Problem(
                        f"stages.{i}.learner",
                        f"{type(made.learner).__name__} trains the pool in place, which engine "
                        f'"{config.engine["name"]}" cannot do: leave engine out, and use '
                        "learner.workers",
                    )
                )
    found += _connections(config, arms, stages, kinds)
    found += _transfer(config, arms, stages)
    found += _processes(config, engine, executor)
    if found or shape is None:
        raise ConfigError(found, source)
    return Plan(config, tuple(kinds), arms, tuple(stages), engine, executor)


def _fits(learner: Learner, engine: Engine) -> bool:
    """Whether a learner can train the pool in the way that an engine offers."""
    hosted = learner.own_workers and engine.hosts_workers
    return not learner.in_place or engine.shares_pool or hosted


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
            text = (
                f'learner {", ".join(sorted(deaf))} cannot listen to columns: use "named" or "sum"'
            )
            found.append(Problem(place, text))
        if wanted == "lateral" and mute:
            text = f'modules of kind {", ".join(mute)} cannot hear columns: use "named" or "sum"'
            found.append(Problem(place, text))
    return found


def _transfer(config: RunConfig, arms: Mapping[str, Arm], stages: Sequence[Stage]) -> list[Problem]:
    """Where a prior is asked for that cannot be, and copies of modules that nobody freezes."""
    found = []
    unlabelled = {
        type(s.learner).__name__ for s in stages[1:] if s.learner.takes is not SupervisedTask
    }
    if config.transfer.prior and unlabelled:
        text = f"the tasks of learner {', '.join(sorted(unlabelled))} have no labels: leave it out"
        found.append(Problem("transfer.prior", text))
    policies = [arm.policy for arm in arms.values() if arm.policy]
    # Without stages something else is wrong, which is said elsewhere.
    played = not stages or any(type(s.learner).returns is not Learner.returns for s in stages)
    for i, policy in enumerate(policies):
        if policy.initial_modules in ("copies", "mixed") and not policy.freezes:
            text = f'"{policy.initial_modules}" needs frozen modules, and this policy freezes none'
            found.append(Problem(f"arms.{i}.transfer.initial_modules", text))
        if policy.copy_readout and not policy.remembers:
            text = "needs a policy that keeps what it learned"
            found.append(Problem(f"arms.{i}.transfer.copy_readout", text))
        if policy.copy_readout == "auto" and not played:
            found.append(Problem(f"arms.{i}.transfer.copy_readout", UNPLAYED))
    if config.transfer.initial_modules == "copies" and not any(p.freezes for p in policies):
        text = '"copies" needs an arm that freezes modules, such as "pathnet"'
        found.append(Problem("transfer.initial_modules", text))
    if config.transfer.copy_readout and not any(p.remembers for p in policies):
        text = 'needs an arm that keeps what it learned, such as "pathnet"'
        found.append(Problem("transfer.copy_readout", text))
    if config.transfer.copy_readout == "auto" and not played:
        found.append(Problem("transfer.copy_readout", UNPLAYED))
    return found


def _processes(
    config: RunConfig, engine: Engine | None, executor: Executor | None
) -> list[Problem]:
    """What is wrong with the number of trials, and of the processes that they run in."""
    trials = config.seeds * len(config.arms)
    lack = memory.lacking(f"{trials} trials", memory.TRIAL * trials)
    if lack:
        return [Problem("seeds", lack)]
    jobs = 0 if executor is None else min(executor.processes, trials)
    workers = 0 if engine is None else engine.processes * max(jobs, 1)
    if lack := memory.lacking(f"{jobs} processes", memory.PROCESS * jobs):
        return [Problem("executor.workers", lack)]
    if lack := memory.lacking(f"{workers} processes", memory.PROCESS * workers):
        return [Problem("engine.workers", lack)]
    return []


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
    also: Sequence[str] = (),
) -> Any:
    """A section as its plugin's model; None, and the problems in ``found``, where it is wrong.

    ``key`` and ``also`` are the framework's own keys in it.
    """
    own = (key, *also)
    options = {option: value for option, value in section.items() if option not in own}
    name = section.get(key)
    if not isinstance(name, str):
        found.append(_nameless(section, place, key))
        return None
    try:
        model = model_of(registry.get(family, name))
        with calling("", ValidationError, PluginError):
            return model.model_validate(options, context={"operators": registry.operators})
    except (PluginError, PluginFailed) as error:
        found.append(Problem(f"{place}.{key}", str(error)))
    except ValidationError as error:
        found.extend(problems(error, model, place, own))
    return None


def _nameless(section: Mapping[str, Any], place: str, key: str) -> Problem:
    """What to say of a section that names no plugin, perhaps since the key is misspelt."""
    if key in section:
        return Problem(f"{place}.{key}", f"not a name: {section[key]!r}")
    for option in section:
        if guess := nearest(option, [key]):
            return Problem(f"{place}.{option}", f"unknown key{guess}")
    return Problem(f"{place}.{key}", "missing")
