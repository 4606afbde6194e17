"""The schema of ``summary.json``, table by table; checked on writing and reading."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, NotRequired, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import TypedDict

Number = float | None
"""None if missing or not finite."""

Matrix = list[list[Number]]
"""Rows of numbers."""


class _Table(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]


class OverSeeds(_Table):
    """A quantity over seeds."""

    seeds: dict[str, Number]
    """Values by seed."""
    n: int
    """Number of finite values."""
    mean: Number
    """Mean of the finite values."""
    interval: list[float] | None
    """95 % interval of the mean; null with fewer than two values."""


class StageSummary(_Table):
    """Properties of a stage that all trials share; null if no trial has started it."""

    stage: int
    """Index in the sequence."""
    name: str
    """Name of the stage, or of its task."""
    threshold: Number
    """Fitness that ends the stage."""
    fitness_name: str | None
    """Name of the fitness."""
    unit: str | None
    """What evaluations count: ``examples`` or ``frames``."""
    budget: int | None
    """Budget in evaluations, or in examples or frames if ``by_frames``."""
    by_frames: bool | None
    """Whether the budget counts examples or frames."""
    chance: OverSeeds | None
    """Untrained baseline score."""
    counts: list[int] | None
    """Modules of each layer."""
    score: str | None
    """Name of the main score."""


class TrialSummary(_Table):
    """A trial of an arm."""

    trial: int
    """Id in the lineage."""
    seed: int
    """Seed."""
    state: str
    """``running``, ``interrupted``, ``finished``, ``stopped`` (``StopRun``) or ``failed``."""
    error: str | None
    """Cause of a failure."""


class FrontMember(_Table):
    """A path of a front."""

    objectives: list[Number]
    """Values of the front's ``objectives``, in order."""
    path: list[list[int]]
    """Modules of each layer."""
    modules: int
    """Number of modules."""
    chosen: bool
    """Whether this is the stage's best path."""


class FrontSummary(_Table):
    """The Pareto front of a multi-objective strategy."""

    objectives: list[str]
    """Names of the objectives."""
    rule: str
    """Rule that chose the path."""
    members: list[FrontMember]
    """Paths of the front."""


class CurveSummary(_Table):
    """A learning curve against frames."""

    frames: int
    """Frames that the curve covers."""
    scores: list[Number]
    """Mean score of each of its equal bins."""


class UnfinishedStage(_Table):
    """A stage that has not finished."""

    evaluations: int
    """Evaluations so far."""
    failed: int
    """Failed evaluations so far."""


class ArmStage(_Table):
    """A stage of an arm, over the seeds that finished it."""

    stage: int
    """Index in the sequence."""
    evaluations: OverSeeds
    """Evaluations."""
    generations: OverSeeds
    """Generations."""
    examples: OverSeeds
    """Training examples or frames used."""
    fitness: OverSeeds
    """Fitness of the best path."""
    reused: OverSeeds
    """Modules of the best path that an earlier stage froze."""
    frozen: OverSeeds
    """Frozen modules after the stage."""
    modules: OverSeeds
    """Modules of the pool."""
    failed: OverSeeds
    """Failed evaluations."""
    parameters: NotRequired[OverSeeds]
    """Parameters of the network, the paths that it listens to included."""
    multiply_adds: NotRequired[OverSeeds]
    """Multiply-adds of a prediction for one example."""
    stored: NotRequired[OverSeeds]
    """Parameters that the networks of all stages so far need together."""
    growth: NotRequired[OverSeeds]
    """Increase of ``stored`` by this stage."""
    scores: dict[str, OverSeeds]
    """Test scores right after the stage, by name."""
    rescores: dict[str, dict[str, OverSeeds]]
    """Test scores after each later stage, by its index."""
    forgetting: dict[str, OverSeeds]
    """``scores`` minus the scores after the last stage, by name."""
    not_scored: dict[str, list[str]]
    """Why scores are missing, by seed."""
    fronts: dict[str, FrontSummary]
    """Pareto fronts by seed, for multi-objective strategies."""
    curves: dict[str, CurveSummary]
    """Learning curves by seed, for stages with episodes."""
    unfinished: dict[str, UnfinishedStage]
    """Progress by seed, for seeds that have not finished the stage."""


class ContinualSummary(_Table):
    """Metrics of continual learning, over seeds that finished all stages; T is their number."""

    score: str
    """Name of the accuracy."""
    matrix: Matrix
    """R: row i, column j is the mean accuracy on stage j after stage i; null if not measured."""
    matrices: dict[str, Matrix]
    """R by seed."""
    acc: OverSeeds
    """ACC = 1/T sum_i R[T, i]."""
    bwt: OverSeeds
    """BWT = 1/(T-1) sum_{i<T} R[T, i] - R[i, i]; negative if something was forgotten."""
    fwt: OverSeeds
    """FWT = 1/(T-1) sum_{i>1} R[i-1, i] - b[i], with the accuracy b of random networks."""
    forgetting: OverSeeds
    """1/(T-1) sum_{j<T} max_{j<=i<T} R[i, j] - R[T, j]."""
    learning_area: OverSeeds
    """Mean fitness over the budget of a stage, averaged over stages; a stage that ended early keeps
    its last smoothed fitness for the rest."""


class ArmSummary(_Table):
    """An arm."""

    trials: list[TrialSummary]
    """Trials."""
    stages: list[ArmStage]
    """Stages, in order."""
    continual: NotRequired[ContinualSummary | None]
    """Metrics of continual learning; null for one stage, or without an accuracy in common."""


class SpeedUpOfSeed(_Table):
    """A speed-up of one seed."""

    value: Number
    """Ratio of the control's evaluations (or examples) to the arm's, or of the arm's area to the
    control's."""
    censored: Literal["arm", "control", "both"] | None
    """Which of the two did not reach the target."""
    target: NotRequired[Number]
    """Fitness to reach; missing for areas."""
    difference: NotRequired[Number]
    """Difference of the areas."""
    arm: Number
    """The arm's evaluations to the target, or examples if ``by_frames``; or its area."""
    control: Number
    """The same of the control."""


class ByGenerations(_Table):
    """A speed-up counted in generations, as in public implementations of a tournament of two."""

    mean: Number
    """Geometric mean."""
    interval: list[float] | None
    """95 % interval of the mean."""


class SpeedUp(_Table):
    """The speed-up of an arm on a stage, relative to the control ``independent``."""

    stage: int
    """Index in the sequence."""
    measure: Literal["threshold", "smoothed", "area"]
    """Evaluations (examples if ``by_frames``) to the threshold, or to the control's final smoothed
    fitness; or areas under learning curves."""
    seeds: dict[str, SpeedUpOfSeed]
    """Speed-ups by seed."""
    n: int
    """Number of ratios."""
    censored: int
    """Number of censored seeds."""
    mean: Number
    """Geometric mean of the ratios."""
    interval: list[float] | None
    """95 % interval of the mean."""
    p: NotRequired[Number]
    """Two-sided p value of the t test on logarithms of the ratios."""
    p_holm: NotRequired[Number]
    """``p``, corrected for all speed-ups of the run (Holm 1979)."""
    difference: NotRequired[OverSeeds]
    """Difference of the areas."""
    by_generations: NotRequired[ByGenerations | None]
    """The speed-up if a tournament of two counts like one evaluation of a fixed path; null for
    other strategies, and if ``by_frames``."""


class ArmComparison(_Table):
    """An arm's test score minus a control's, paired by seed."""

    stage: int
    """Index in the sequence."""
    score: str
    """Name of the score."""
    arm: str
    """Name of the arm."""
    control: str
    """Name of the control."""
    seeds: dict[str, Number]
    """Differences by seed."""
    n: int
    """Number of finite differences."""
    mean: Number
    """Mean difference."""
    interval: list[float] | None
    """95 % interval of the mean, from the paired t test."""
    p: Number
    """Two-sided p value of the paired t test."""
    p_holm: NotRequired[Number]
    """``p``, corrected for all comparisons of this score in the run (Holm 1979)."""


class NotFinite(_Table):
    """Non-finite measurements of a trial."""

    stage: int
    """Index of the stage."""
    arm: str
    """The trial's arm."""
    seed: int
    """The trial's seed."""
    what: str
    """``chance``, ``fitness``, ``episode scores``, ``seconds`` or the name of a score."""
    count: int
    """Number of non-finite values."""
    values: list[str]
    """Distinct values: ``inf``, ``-inf``, ``nan``."""


class StageTime(_Table):
    """The duration of a stage."""

    stage: int
    """Index in the sequence."""
    seconds: OverSeeds
    """Wall-clock time over all sessions."""
    usage: NotRequired[dict[str, OverSeeds]]
    """How evaluations ran on workers, in the session that finished the stage: ``workers``, those
    that were left; ``in_flight``, the mean number of candidates at workers; ``overlap``, the share
    of commits to modules that others had changed meanwhile; ``bytes`` of weights that travelled;
    ``waiting``, the seconds for which workers had nothing to do, added up; ``restarts``. Empty
    without workers."""


class Summary(_Table):
    """The results of a run; a repetition differs only in ``times`` and ``about``."""

    version: int
    """Version of this schema."""
    name: str
    """Name of the run in its configuration."""
    state: str
    """``running``, ``interrupted``, ``finished`` or ``failed``."""
    deterministic: bool | None
    """Whether equal seeds give equal results, bit for bit."""
    digest: str | None
    """SHA-256 of the lineage's reproducible part."""
    seeds: list[int]
    """Seeds of the run."""
    stages: list[StageSummary]
    """Properties of each stage that all trials share."""
    arms: dict[str, ArmSummary]
    """Results by arm."""
    speed_up: dict[str, list[SpeedUp]]
    """Speed-ups by arm, stage by stage."""
    comparisons: list[ArmComparison]
    """Comparisons of each arm with each control."""
    not_finite: list[NotFinite]
    """Non-finite measurements, which JSON cannot represent."""
    times: dict[str, list[StageTime]]
    """Durations by arm, stage by stage."""
    about: dict[str, Any]
    """Content of ``about.json``."""


@cache
def _adapter() -> TypeAdapter[Summary]:
    return TypeAdapter(Summary)


def checked(summary: Mapping[str, Any]) -> Summary:
    """The validated summary.

    Raises:
        ValueError: it is invalid; the message says where.
    """
    try:
        _adapter().validate_python(dict(summary))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"not a summary of this version: {place}: {first['msg']}") from None
    return cast("Summary", summary)
