"""The configuration of a run, from TOML to validated models."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from pathnet_evo.plugins.files import PluginFile
from pathnet_evo.plugins.files import named as _file_named
from pathnet_evo.setup.problems import ConfigError, Problem, problems
from pathnet_evo.setup.sections import (
    EngineSection,
    ExecutorSection,
    LayerSection,
    LearnerSection,
    ObserverSection,
    PolicySection,
    StrategySection,
    TaskSection,
    as_table,
)
from pathnet_evo.setup.task_streams import STREAMS, StreamConfig
from pathnet_evo.setup.upgrades import upgraded
from pathnet_evo.values.encodings import NOT_TEXT, is_text
from pathnet_evo.values.names import folder_name, label, on_one_line
from pathnet_evo.values.options import OPTIONS
from pathnet_evo.values.stage_numbers import shared_name
from pathnet_evo.values.suggestions import nearest

FolderName = Annotated[str, AfterValidator(folder_name)]
"""A name that also names a folder."""
Label = Annotated[str, AfterValidator(label)]
"""A name for display."""


MOST_SEEDS = 1_000_000
"""The most seeds of a run."""


class _Section(BaseModel):
    model_config = OPTIONS | ConfigDict(frozen=False)


class PoolConfig(_Section):
    """The shared network (``[pool]``)."""

    modules: int = Field(default=10, ge=1)
    """Modules per layer, M."""
    width: int = Field(default=3, ge=1)
    """Maximum number of active modules per layer, N."""
    input_shape: tuple[int, ...] | None = None
    """Shape of one example. Default: the first task's shape."""
    aggregate: Literal["sum", "mean"] = "sum"
    """How to combine the outputs of a layer's active modules."""
    layers: list[LayerSection] = Field(default=[{"kind": "linear", "repeat": 3}], min_length=1)
    """Module kind of each layer, input first; ``repeat = n`` makes n identical layers."""


class TransferConfig(_Section):
    """What happens between stages (``[transfer]``)."""

    reinitialise: bool = True
    """Re-initialise every module that is not frozen. Whatever is set here, policy ``scratch``
    re-initialises everything, and ``keep`` nothing."""
    connect: Literal["named", "sum", "lateral", "published"] | None = None
    """How frozen modules enter a new task's path. ``named``: only if the genotype names them.
    ``sum``: in every path. ``lateral``: as columns, frozen paths that compute their own features
    and feed them into the new path through lateral maps that the task owns. ``published``: as in
    the paper. Default: the learner's choice."""
    initial_modules: Literal["fresh", "copies", "mixed"] = "fresh"
    """How free modules start a stage: re-initialised, as copies of frozen modules, or a mix. With
    ``connect = "sum"``, only ``fresh``, since copies would count twice beside their originals."""
    copied_layers: int | None = Field(default=None, ge=1)
    """How many layers, from the input, copies take; the layers above start fresh. Default: all
    layers where examples are few; where the budget visits each example fewer than 10 times, the
    lower half, or all up to the layer that tells most of the new task if it tells clearly more than
    the first."""
    copied_share: float = Field(default=1.0, gt=0, le=1)
    """Share of the earlier module in a copy's weights; the rest is of the free module it takes,
    which is fresh unless ``reinitialise`` is false (shrink and perturb, Ash and Adams 2020). Below
    1, copies learn what differs more readily, and start with less of what was learned."""
    fitted_readout: bool | None = None
    """Beside the trained readout, fit one by ridge regression on the units of the columns, and add
    the logits of both with equal spread. Default: where examples are few (at most 2,000, which the
    budget visits at least 10 times each), and the columns explain more of the labels than the
    inputs do, and at least 5 %. With ``true`` it is fitted on 2,000 examples at most, for tasks
    with labels that listen to columns."""
    copy_readout: bool | Literal["auto"] = False
    """Start a task's readout as a copy of an earlier task's for the same classes or actions, the
    most suitable one first, if the arm keeps what it learned; otherwise at random. ``auto``, for
    tasks to act in, plays ``learner.score_episodes`` episodes of the new task with each earlier
    network, beside the budget: the best one's readout is copied if it clearly beats random actions
    (by two standard errors), and its modules whole, unless ``initial_modules`` is ``fresh``."""
    max_columns: int = Field(default=2, ge=1)
    """Maximum number of earlier paths that a task listens to, most informative first. Paths that
    these listen to count as well, which bounds the cost of a prediction."""
    prior: bool | None = None
    """Before a stage, estimate how well earlier paths separate the new task's classes, and rank
    them. Default: if the task has labels and there are paths to rank."""
    grow: Annotated[bool | Annotated[int, Field(ge=1)], Field(union_mode="left_to_right")] = False
    """At the start of a stage, add modules to layers with fewer than ``pool.width`` free ones: as
    many as are missing, or at least the given number."""
    duplication: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Modules per generation to overwrite with a copy of a more useful module of their layer; 0.5
    is one every other generation. A module's usefulness is the mean fitness of the last 10 paths
    that contained it."""


class CheckpointsConfig(_Section):
    """When to save a trial's state within a stage (``[checkpoints]``); stage ends always do."""

    seconds: float = Field(default=30, gt=0, allow_inf_nan=False)
    """Seconds between checkpoints: the most work that a killed run loses."""
    generations: int | None = Field(default=None, ge=1)
    """Also save after this many generations."""
    evaluations: int | None = Field(default=None, ge=1)
    """Also save after this many evaluations."""
    keep: int = Field(default=2, ge=1)
    """Checkpoints to keep per trial; older ones are deleted, except at stage ends."""


class StageConfig(_Section):
    """One task of the sequence (``[[stages]]``)."""

    task: TaskSection
    """The task: its name and options."""
    name: Label | None = None
    """Name of the stage in reports. Default: the task's name."""
    generations: int = Field(100, ge=1)
    """Budget in generations of the configured strategy; every arm gets the same number of
    evaluations."""
    frames: int | None = Field(None, ge=1)
    """Budget in examples or frames, whichever the learner counts; replaces ``generations``."""
    threshold: float | None = Field(None, allow_inf_nan=False)
    """Stop the stage when a fitness reaches this value."""
    learner: LearnerSection | None = None
    """Learner of this stage. Default: the run's learner."""

    def called(self, begun: Iterable[str] = ()) -> str:
        """The stage's name for all trials.

        Args:
            begun: what the trials that have begun it call it.
        """
        return shared_name(begun, self.name or str(self.task.get("name")))


class ArmConfig(_Section):
    """A strategy and a transfer policy (``arms``)."""

    name: FolderName
    """Name of the arm in reports and folders."""
    strategy: StrategySection | None = None
    """The strategy. Default: the run's strategy."""
    transfer: PolicySection = {"name": "freeze"}
    """The transfer policy between stages: ``freeze`` freezes the best path and re-initialises the
    rest, ``scratch`` re-initialises everything, ``keep`` nothing. ``random-columns`` is ``freeze``
    with random weights in the paths that a task listens to."""

    @property
    def may_freeze(self) -> bool:
        """Whether reports look for frozen modules. They load no plugins, so assume so if unsure."""
        return self.transfer.get("name") not in ("keep", "scratch")

    @property
    def keeps_separate(self) -> bool:
        """Whether each task has a network of its own, which no later task changes."""
        return self.transfer.get("name") == "scratch"


ARMS = {
    "pathnet": ArmConfig(name="pathnet"),
    "independent": ArmConfig(
        name="independent", strategy={"name": "fixed-path"}, transfer={"name": "scratch"}
    ),
    "fine-tuning": ArmConfig(
        name="fine-tuning", strategy={"name": "fixed-path"}, transfer={"name": "keep"}
    ),
    "random": ArmConfig(name="random", strategy={"name": "random-search"}),
    "random-columns": ArmConfig(name="random-columns", transfer={"name": "random-columns"}),
    "pathnet-2017": ArmConfig(
        name="pathnet-2017",
        strategy={"name": "binary-tournament"},
        transfer={
            "name": "freeze",
            "connect": "published",
            "initial_modules": "fresh",
            "copy_readout": False,
        },
    ),
    **{
        name: ArmConfig(
            name=name,
            strategy={"name": "fixed-path"},
            transfer={"name": "avalanche", "method": name},
        )
        for name in ("ewc", "lwf", "replay", "packnet", "progressive", "joint")
    },
}
"""The arms that a name alone stands for."""


_ArmName = Annotated[str, Field(json_schema_extra={"enum": [*ARMS]})]


def _arm(value: Any) -> Any:
    if isinstance(value, str):
        if value not in ARMS:
            raise ValueError(f"unknown arm{nearest(value, ARMS)} (have: {', '.join(sorted(ARMS))})")
        return ARMS[value].model_copy()
    return value


def arm_tables(arms: Any) -> Any:
    """Arms with those that are given by name spelt out as tables, so that parts can be changed.

    Args:
        arms: plain data, not checked yet; None is a configuration's default.
    """
    given = RunConfig.model_fields["arms"].default if arms is None else arms
    if not isinstance(given, list):
        return given
    return [
        ARMS[arm].model_dump(exclude_none=True) if isinstance(arm, str) and arm in ARMS else arm
        for arm in given
    ]


Arm = Annotated[ArmConfig, BeforeValidator(_arm, json_schema_input_type=_ArmName | ArmConfig)]
"""An arm: a table, or one of the names in ``ARMS``."""
File = Annotated[PluginFile, BeforeValidator(_file_named, json_schema_input_type=str | PluginFile)]
"""A plugin file: a table, or its path."""


def _with_short_forms(schema: dict[str, Any]) -> None:
    """Describe ``jobs``, which is short for an executor, and ``stream`` for ``stages``."""
    about = 'Trials to run in parallel: short for `executor = {name = "processes", workers = N}`.'
    schema["properties"]["jobs"] = {"type": "integer", "minimum": 1, "description": about}
    schema["required"].remove("stages")
    schema["oneOf"] = [{"required": ["stages"]}, {"required": ["stream"]}]


class RunConfig(_Section):
    """A whole run."""

    model_config = ConfigDict(json_schema_extra=_with_short_forms)

    name: FolderName = "run"
    """Name of the run's folder, unless ``--name`` is given."""
    arms: list[Arm] = Field(
        ["pathnet", "independent", "fine-tuning", "random"], min_length=1, validate_default=True
    )
    """The arms to compare."""
    seed: int = Field(0, ge=0, lt=2**63)
    """First seed."""
    seeds: int = Field(1, ge=1, le=MOST_SEEDS)
    """Number of seeds: seed, seed + 1, ..."""
    executor: ExecutorSection = {"name": "inline"}
    """Where trials run: ``inline``, one after another in this process, or ``processes``, several in
    parallel. ``jobs = N`` stands for ``processes`` with N ``workers``, or ``inline`` for 1."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device to compute on."""
    engine: EngineSection = {"name": "inline"}
    """Where a trial's evaluations run: ``inline``, or ``processes`` for several in parallel."""
    observers: list[ObserverSection] = []
    """Observers of the run, such as ``tensorboard``."""
    plugins: list[File] = []
    """Plugin files to load; the run records their SHA-256."""
    pool: PoolConfig = PoolConfig()
    """The shared network."""
    strategy: StrategySection = {"name": "binary-tournament"}
    """How paths evolve."""
    learner: LearnerSection = {"name": "sgd"}
    """How a path is trained and scored."""
    transfer: TransferConfig = TransferConfig()
    """What happens between stages."""
    sources: int | None = Field(None, ge=1)
    """Makes a transfer matrix: the first ``sources`` stages are sources, the others targets, and
    each pair of a source and a target is a run of its own."""
    checkpoints: CheckpointsConfig = CheckpointsConfig()
    """When to save a trial's state within a stage."""
    stream: StreamConfig | None = Field(None, exclude=True)
    """Makes the stages of a benchmark; replaces ``stages``."""
    stages: list[StageConfig] = Field(min_length=1)
    """The sequence of tasks; required without ``stream``."""

    @property
    def n_trials(self) -> int:
        """Number of trials: one per arm and seed."""
        return len(self.arms) * self.seeds


def parse(text: str, source: str) -> dict[str, Any]:
    """TOML as plain data, without the byte-order mark that Windows editors write.

    Raises:
        ConfigError: not TOML.
    """
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except (
        ValueError,
        RecursionError,
    ) as error:  # also of numbers without end, of tables in tables
        raise ConfigError([Problem("", f"not TOML: {error}")], source) from None


def validate(data: Mapping[str, Any], source: str = "") -> RunConfig:
    """The framework's own part of a configuration; plugins' sections are checked by ``resolve``.

    Raises:
        ConfigError: with all errors.
    """
    if found := [Problem(place, NOT_TEXT) for place, text in _texts(data) if not is_text(text)]:
        raise ConfigError(found, source)
    data, found = _with_executor(with_stages(upgraded(data), source))
    try:
        config = RunConfig.model_validate(data)
    except ValidationError as error:
        found += problems(error, RunConfig)
    if found:
        raise ConfigError(found, source)
    return config


def with_stages(data: Mapping[str, Any], source: str = "") -> dict[str, Any]:
    """A configuration with the stages that its ``stream`` makes, if it has one.

    Raises:
        ConfigError: with all errors of ``stream``.
    """
    rest = {key: value for key, value in data.items() if key != "stream"}
    if len(rest) == len(data):
        return rest
    if "stages" in rest:
        problem = Problem("stream", "makes the stages: leave out either stream or stages")
        raise ConfigError([problem], source)
    section = as_table(data["stream"])
    name = section.get("name") if isinstance(section, dict) else None
    if not isinstance(name, str) or name not in STREAMS:
        guess = nearest(name, STREAMS) if isinstance(name, str) else ""
        text = f"expected a stream{guess} (have: {', '.join(STREAMS)}), got {name!r}"
        raise ConfigError([Problem("stream.name", text)], source)
    model = STREAMS[name]
    try:
        return {**rest, "stages": model.model_validate(section).stages()}
    except ValidationError as error:
        raise ConfigError(problems(error, model, "stream"), source) from None
    except ValueError as error:
        raise ConfigError([Problem("stream.generations", str(error))], source) from None


def _with_executor(data: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[Problem]]:
    """A configuration with the executor that ``jobs`` is short for, and what is wrong with it."""
    if "jobs" not in data:
        return data, []
    kept = {key: value for key, value in data.items() if key != "jobs"}
    jobs, section = data["jobs"], as_table(data.get("executor", {}))
    if type(jobs) is not int or jobs < 1:
        return kept, [Problem("jobs", f"expected a whole number from 1, got {jobs!r}")]
    name = section.get("name", "inline") if isinstance(section, dict) else section
    if name not in ("inline", "processes"):
        text = f'short for executor "processes", but executor is {name!r}; set only one of them'
        return kept, [Problem("jobs", text)]
    options = section if name == "processes" else {}
    many = {**options, "name": "processes", "workers": jobs}
    return {**kept, "executor": {"name": "inline"} if jobs == 1 else many}, []


def _texts(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """All texts in plain data, keys among them, and where they are."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            below = f"{place}.{key}" if place else str(key)
            yield on_one_line(below), str(key)
            yield from _texts(part, on_one_line(below))
    elif isinstance(value, list | tuple):
        for i, part in enumerate(value):
            yield from _texts(part, f"{place}.{i}")
