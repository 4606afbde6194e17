"""What ``summary.json`` holds, table by table; checked as it is written and as it is read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, NotRequired, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import TypedDict

Number = float | None
"""None where there is none, or where it is not finite."""


class _Table(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]


class OverSeeds(_Table):
    """A quantity over seeds."""

    seeds: dict[str, Number]
    """Its value, by seed."""
    n: int
    """How many values are finite."""
    mean: Number
    """Their mean."""
    interval: list[float] | None
    """The 95 % interval of the mean; null with fewer than two values."""


class StageSummary(_Table):
    """What is the same of a stage for all trials; null where no trial has begun it."""

    stage: int
    """Its index in the sequence."""
    name: str
    """Of the stage, or of its task."""
    threshold: Number
    """The fitness that ends it."""
    fitness_name: str | None
    """What its fitness is."""
    unit: str | None
    """What evaluations count: ``examples`` or ``frames``."""
    budget: int | None
    """Evaluations, or examples or frames where ``by_frames``."""
    by_frames: bool | None
    """Whether the budget counts examples or frames."""
    chance: OverSeeds | None
    """The untrained baseline's score."""
    counts: list[int] | None
    """Modules of each layer."""
    score: str | None
    """The name of the chief score."""


class TrialSummary(_Table):
    """A trial of an arm."""

    trial: int
    """Its id in the lineage."""
    seed: int
    """Its seed."""
    state: str
    """``running``, ``interrupted``, ``finished`` or ``failed``."""
    error: str | None
    """Why it failed."""


class FrontMember(_Table):
    """A path of a front."""

    objectives: list[Number]
    """Its values, in the order of the front's ``objectives``."""
    path: list[list[int]]
    """The modules of each layer."""
    modules: int
    """How many they are."""
    chosen: bool
    """Whether it is the stage's best path."""


class FrontSummary(_Table):
    """What a strategy with several objectives had to choose from."""

    objectives: list[str]
    """Their names."""
    rule: str
    """How the path was chosen."""
    members: list[FrontMember]
    """The paths."""


class CurveSummary(_Table):
    """A learning curve against frames."""

    frames: int
    """How many it covers."""
    scores: list[Number]
    """Mean scores of its equal parts."""


class UnfinishedStage(_Table):
    """A stage that is not over."""

    evaluations: int
    """How many are."""
    failed: int
    """How many of them failed."""


class ArmStage(_Table):
    """A stage of an arm, over the seeds that have finished it."""

    stage: int
    """Its index in the sequence."""
    evaluations: OverSeeds
    """How many it took."""
    generations: OverSeeds
    """How many it took."""
    examples: OverSeeds
    """Training examples or frames that it used."""
    fitness: OverSeeds
    """Of the best path."""
    reused: OverSeeds
    """Modules of the best path that an earlier stage froze."""
    frozen: OverSeeds
    """Modules that are frozen after it."""
    modules: OverSeeds
    """Modules of the pool."""
    failed: OverSeeds
    """Evaluations that failed."""
    scores: dict[str, OverSeeds]
    """Test scores right after the stage, by name."""
    rescores: dict[str, dict[str, OverSeeds]]
    """The same after each later stage, by its index."""
    forgetting: dict[str, OverSeeds]
    """``scores`` minus those after the last stage, by name."""
    not_scored: dict[str, list[str]]
    """Why scores are missing, by seed."""
    fronts: dict[str, FrontSummary]
    """By seed, for strategies with several objectives."""
    curves: dict[str, CurveSummary]
    """By seed, for stages with episodes."""
    unfinished: dict[str, UnfinishedStage]
    """By seed, where the stage is not over."""


class ArmSummary(_Table):
    """An arm."""

    trials: list[TrialSummary]
    """Its trials."""
    stages: list[ArmStage]
    """Its stages, in order."""


class SpeedUpOfSeed(_Table):
    """A speed-up of one seed."""

    value: Number
    """The control's evaluations over the arm's, or the arm's area over the control's."""
    censored: Literal["arm", "control", "both"] | None
    """Which of the two never reached the target."""
    target: NotRequired[Number]
    """The fitness to reach; by areas there is none."""
    difference: NotRequired[Number]
    """Of the areas."""
    arm: Number
    """Evaluations to the target, or the area."""
    control: Number
    """The same of the control."""


class ByGenerations(_Table):
    """A speed-up as public implementations count it, by generations."""

    mean: Number
    """Geometric mean."""
    interval: list[float] | None
    """Its 95 % interval."""


class SpeedUp(_Table):
    """How much faster an arm learns a stage than the control ``independent``."""

    stage: int
    """Its index in the sequence."""
    measure: Literal["threshold", "smoothed", "area"]
    """Evaluations to the threshold, or to the control's final smoothed fitness; or areas under
    learning curves."""
    seeds: dict[str, SpeedUpOfSeed]
    """By seed."""
    n: int
    """How many ratios there are."""
    censored: int
    """How many seeds are censored."""
    mean: Number
    """Geometric mean of the ratios."""
    interval: list[float] | None
    """Its 95 % interval."""
    difference: NotRequired[OverSeeds]
    """Of the areas."""
    by_generations: NotRequired[ByGenerations | None]
    """The same where a generation of an evolving arm is counted like one of a fixed path."""


class ArmComparison(_Table):
    """An arm's test score minus a control's, paired by seed."""

    stage: int
    """Its index in the sequence."""
    score: str
    """The score's name."""
    arm: str
    """The arm."""
    control: str
    """The control."""
    seeds: dict[str, Number]
    """The differences, by seed."""
    n: int
    """How many are finite."""
    mean: Number
    """Their mean."""
    interval: list[float] | None
    """Its 95 % interval, that of the paired t test."""
    p: Number
    """The two-sided p value of the paired t test."""


class NotFinite(_Table):
    """What a trial measured that is not finite."""

    stage: int
    """Index of the stage."""
    arm: str
    """The trial's arm."""
    seed: int
    """The trial's seed."""
    what: str
    """``chance``, ``fitness``, ``episode scores``, ``seconds`` or the name of a score."""
    count: int
    """How many values are not finite."""
    values: list[str]
    """Which: ``inf``, ``-inf``, ``nan``."""


class StageTime(_Table):
    """How long a stage took."""

    stage: int
    """Its index in the sequence."""
    seconds: OverSeeds
    """Wall-clock time, all sittings together."""


class Summary(_Table):
    """What came out of a run; a repetition differs in ``times`` and ``about`` alone."""

    version: int
    """Of this schema."""
    name: str
    """The run's name in its configuration."""
    state: str
    """``running``, ``interrupted``, ``finished`` or ``failed``."""
    deterministic: bool | None
    """Whether equal seeds give equal results, bit for bit."""
    digest: str | None
    """SHA-256 of what was evolved."""
    seeds: list[int]
    """The seeds."""
    stages: list[StageSummary]
    """What is the same of each stage for all trials."""
    arms: dict[str, ArmSummary]
    """By name."""
    speed_up: dict[str, list[SpeedUp]]
    """By arm, stage by stage."""
    comparisons: list[ArmComparison]
    """Each arm with each control."""
    not_finite: list[NotFinite]
    """What was measured and has no number in JSON."""
    times: dict[str, list[StageTime]]
    """By arm, stage by stage."""
    about: dict[str, Any]
    """What ``about.json`` holds."""


@cache
def _adapter() -> TypeAdapter[Summary]:
    return TypeAdapter(Summary)


def checked(summary: Mapping[str, Any]) -> Summary:
    """The same summary, if it is one.

    Raises:
        ValueError: it is none; the message says where.
    """
    try:
        _adapter().validate_python(dict(summary))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"not a summary of this version: {place}: {first['msg']}") from None
    return cast("Summary", summary)
