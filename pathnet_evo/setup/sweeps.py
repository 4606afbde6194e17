"""A sweep: a configuration with search spaces, and a ``[sweep]`` table that says what to search."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
)

from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup.config import RunConfig, validate
from pathnet_evo.setup.plan import Plan
from pathnet_evo.setup.preparing import configured, labelled, overridden, ready
from pathnet_evo.setup.problems import ConfigError, Problem, problems
from pathnet_evo.setup.spaces import Labels, Space, filled, probes, spaces_in
from pathnet_evo.values.suggestions import nearest

MAY_CHANGE = ("checkpoints", "device", "executor", "jobs", "observers")
"""Keys that may change when a sweep resumes, besides ``sweep.trials``: those of a run."""
LARGEST_SWEEP = 1_000_000
"""The most trials of a sweep."""


def _no_test(value: Any) -> Any:
    if isinstance(value, str) and "test" in value:
        raise ValueError('a test score is never a target; use "validation" or "fitness"')
    return value


class SweepConfig(BaseModel):
    """What a sweep searches, and how (``[sweep]``)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trials: StrictInt = Field(20, ge=1, le=LARGEST_SWEEP)
    """Number of trials, pruned and failed ones included."""
    arm: StrictStr | None = None
    """Arm to improve. Default: the first arm."""
    stage: Annotated[StrictInt, Field(ge=0)] | StrictStr | None = None
    """Stage to improve: its index, from 0, or its name. Default: the last stage."""
    score: Annotated[Literal["validation", "fitness"], BeforeValidator(_no_test)] = "validation"
    """Score of a trial, the mean over seeds of the fitness of the stage's best path.
    ``validation``: refuse learners whose fitness is measured on training examples. ``fitness``:
    take any fitness."""
    sampler: Literal["tpe", "random"] = "tpe"
    """Optuna's sampler: ``tpe``, which learns from finished trials, or ``random``."""
    seed: StrictInt = Field(0, ge=0, lt=2**32)
    """Seed of the sampler."""
    pruning: StrictBool = True
    """End a trial early if its score so far is below the median of earlier trials; the first five
    trials are never pruned."""


@dataclass(frozen=True)
class Sweep:
    """A search over configurations.

    Args:
        settings: the ``[sweep]`` table.
        data: the rest of the configuration, as plain data with search spaces.
        spaces: the search spaces by their places.
        name: of the configuration.
        arm: name of the target's arm.
        stage: index of the target's stage.
        label: what errors call the configuration.
    """

    settings: SweepConfig
    data: Mapping[str, Any]
    spaces: Mapping[str, Space]
    name: str
    arm: str
    stage: int
    label: str = ""

    def config(self, labels: Labels, name: str) -> RunConfig:
        """The configuration of a trial: the target's arm, and the stages up to it.

        Raises:
            ConfigError: the values do not go together, or the target does not exist with them.
        """
        whole = validate(filled(self.data, self.spaces, labels), self.label)
        _, stage = _target(self.settings, whole, self.label)
        update = {
            "name": name,
            "arms": [arm for arm in whole.arms if arm.name == self.arm],
            "stages": whole.stages[: stage + 1],
        }
        return whole.model_copy(update=update)

    def plan(self, labels: Labels, name: str, registry: Registry, rehearse: bool = True) -> Plan:
        """What a trial runs, checked by every plugin.

        Raises:
            ConfigError: the values do not go together, or their fitness is no validation score.
        """
        plan = ready(self.config(labels, name), registry, self.label, rehearse)
        if self.settings.score == "validation" and not plan.stages[-1].learner.validates:
            text = (
                "the fitness is measured on training examples: set learner.validation_fraction, or "
                'score = "fitness"'
            )
            raise ConfigError([Problem("sweep.score", text)], self.label)
        return plan

    @cached_property
    def toml(self) -> str:
        """The content of ``sweep.toml``, from which the sweep is read again."""
        table = self.settings.model_dump(mode="json", exclude_none=True)
        return tomli_w.dumps({**self.data, "sweep": table})


def read_sweep(
    source: str | Path | Mapping[str, Any],
    settings: Sequence[str],
    registry: Registry,
    plugins: Sequence[str | Path] = (),
) -> Sweep:
    """A sweep, its ends and choices checked by every plugin.

    Args:
        source: a preset's name, the path of a ``.toml`` file, or plain data.
        settings: ``"a.b=VALUE"`` overrides; a value can be a search space.
        registry: the plugins; the files that the configuration names are added to it.
        plugins: further files of plugins.

    Raises:
        ConfigError: everything that is wrong, such as a target that does not exist.
        PluginFileError: a plugin's file that cannot be used.
    """
    made = partial(configured, registry=registry, plugins=plugins)
    sweep, points = _read(source, settings, made)
    for point in points:
        sweep.plan(point, sweep.name, registry, point is points[0])
    return sweep


def recorded_sweep(path: Path) -> Sweep:
    """The sweep that a ``sweep.toml`` records; nothing that it names is imported.

    Raises:
        ConfigError: it is none.
    """
    return _read(path, (), lambda data, label, folder: validate(data, label))[0]


def _read(
    source: str | Path | Mapping[str, Any],
    settings: Sequence[str],
    made: Callable[[dict[str, Any], str, Path], RunConfig],
) -> tuple[Sweep, list[dict[str, Any]]]:
    """A sweep, and the values at its ends and of its choices; ``made`` makes configurations."""
    whole, label, folder = overridden(source, settings)
    data = copy.deepcopy({key: value for key, value in whole.items() if key != "sweep"})
    with labelled(label):
        settled = _settings(whole.get("sweep", {}))
        spaces = spaces_in(whole)
        if not spaces:
            text = "nothing to search: no value is a search space such as {low = 1, high = 8}"
            raise ConfigError([Problem("", text)])
        points = [*probes(spaces)]
        first = made(filled(data, spaces, points[0]), label, folder)
        if first.sources is not None:
            raise ConfigError([Problem("sources", "a sweep searches one sequence, not a matrix")])
        if first.plugins:
            data["plugins"] = [file.model_dump(mode="json") for file in first.plugins]
        arm, stage = _target(settled, first)
    return Sweep(settled, data, spaces, first.name, arm, stage, label), points


def check_same(before: Sweep, now: Sweep) -> None:
    """Refuse changes to what earlier trials were sampled from, or scored by.

    Raises:
        ConfigError: the keys that cannot change.
    """
    old, new = ({**s.data, "sweep": s.settings.model_dump()} for s in (before, now))
    changed = [
        key for key in sorted({*old, *new} - {*MAY_CHANGE, "sweep"}) if old.get(key) != new.get(key)
    ]
    changed += [
        f"sweep.{key}"
        for key, value in new["sweep"].items()
        if key != "trials" and value != old["sweep"][key]
    ]
    text = f"cannot change while a sweep resumes; sweep.trials and {', '.join(MAY_CHANGE)} can"
    if changed:
        raise ConfigError([Problem(key, text) for key in changed], before.label)


def _settings(table: Any) -> SweepConfig:
    if not isinstance(table, Mapping):
        raise ConfigError([Problem("sweep", f"expected a table, got {table!r}")])
    try:
        return SweepConfig.model_validate(table)
    except ValidationError as error:
        raise ConfigError(problems(error, SweepConfig, "sweep")) from None


def _target(settings: SweepConfig, config: RunConfig, label: str = "") -> tuple[str, int]:
    """The target's arm and stage.

    Raises:
        ConfigError: there are none.
    """
    arms = [arm.name for arm in config.arms]
    names = [stage.called() for stage in config.stages]
    arm, wanted = settings.arm or arms[0], settings.stage
    found = []
    if arm not in arms:
        found.append(Problem("sweep.arm", _unknown("arm", arm, arms)))
    stage = len(names) - 1 if wanted is None else wanted
    if isinstance(stage, str):
        if names.count(stage) > 1:
            text = f'{names.count(stage)} stages are called "{stage}": give an index, from 0'
            found.append(Problem("sweep.stage", text))
        elif stage not in names:
            found.append(Problem("sweep.stage", _unknown("stage", stage, names)))
        stage = names.index(stage) if stage in names else 0
    elif stage >= len(names):
        text = f"no stage {stage}: the last of {len(names)} is {len(names) - 1}"
        found.append(Problem("sweep.stage", text))
    if found:
        raise ConfigError(found, label)
    return arm, stage


def _unknown(what: str, name: str, known: Sequence[str]) -> str:
    return f'no {what} "{name}"{nearest(name, known)} (have: {", ".join(dict.fromkeys(known))})'
