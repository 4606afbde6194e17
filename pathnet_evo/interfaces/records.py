"""What a trial tells the world as it goes: plain data, so that it can cross processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from pathnet_evo.core.genotype import Path, Rows
from pathnet_evo.values.stage_numbers import stage_number

if TYPE_CHECKING:  # reading a run needs no torch
    from pathnet_evo.interfaces.evaluations import Episode, Evaluation
    from pathnet_evo.interfaces.fingerprint import Fingerprint
    from pathnet_evo.interfaces.population import Front, Replacement


@dataclass(frozen=True)
class TrialStarted:
    """A trial begins."""

    trial: int
    arm: str
    seed: int


@dataclass(frozen=True)
class TaskMade:
    """A task was made, to be learned or to be scored again.

    Args:
        trial: the trial's id.
        stage: index in the sequence.
        fingerprint: of what it gave.
    """

    trial: int
    stage: int
    fingerprint: Fingerprint


@dataclass(frozen=True)
class StageStarted:
    """A stage begins.

    Args:
        trial: the trial's id.
        stage: index in the sequence.
        task: the name of stage or task.
        budget: evaluations at the most, or frames where ``by_frames``.
        by_frames: whether the budget counts examples or frames instead of evaluations.
        random_baseline: the untrained baseline score, or None.
        population: the first genotype of every slot.
        frozen: the modules that earlier stages froze.
        counts: modules of each layer.
        fitness_name: what the learner's fitness is.
        unit: what its evaluations count.
    """

    trial: int
    stage: int
    task: str
    budget: int
    by_frames: bool
    random_baseline: float | None
    population: tuple[Rows, ...]
    frozen: Path
    counts: tuple[int, ...]
    fitness_name: str
    unit: str


@dataclass(frozen=True)
class StageResumed:
    """A stage resumes that started in an earlier session.

    Args:
        started: how it began.
        evaluations: told so far.
        examples: training examples or frames used by them.
    """

    started: StageStarted
    evaluations: int
    examples: int

    @property
    def trial(self) -> int:
        """The trial's id."""
        return self.started.trial


@dataclass(frozen=True)
class Saturated:
    """A layer has fewer free modules than a path can use at the start of a stage.

    Args:
        trial: the trial's id.
        stage: index in the sequence.
        layer: index of the layer.
        free: its modules that are not frozen.
        width: the most that a path can use of it, N.
        added: new modules that it was given; 0 where layers do not grow (``transfer.grow``).
    """

    trial: int
    stage: int
    layer: int
    free: int
    width: int
    added: int

    def __str__(self) -> str:
        what = f"layer {self.layer + 1} has {self.free} free modules"
        if self.added:
            return f"{what}, a path can use {self.width}: grown by {self.added}"
        return f"{what}, a path can use {self.width}: later tasks learn less (see transfer.grow)"


@dataclass(frozen=True)
class TransferPlanned:
    """What a stage that is not the first begins with.

    Args:
        trial: the trial's id.
        stage: index in the sequence.
        connect: how frozen modules enter its paths: ``named``, ``sum`` or ``lateral``.
        columns: the stages whose paths it listens to.
        starts: the paths that its free modules were laid out as, in words, and their rows.
        prior: accuracies of ridge classifiers on ``examples`` of the new task: on ``raw`` inputs,
            on the units of a ``random`` path, and of the path of each of ``stages``, whose layers
            by themselves are in ``by_layer``; or None.
        tried: mean returns on the new task, before it is learned, of as many ``episodes`` each: of
            ``random`` actions, and of the network of each of ``stages``; or None.
    """

    trial: int
    stage: int
    connect: str
    columns: tuple[int, ...]
    starts: tuple[tuple[str, Rows], ...]
    prior: Mapping[str, object] | None = None
    tried: Mapping[str, object] | None = None


@dataclass(frozen=True)
class BeforeTraining:
    """Test scores of a stage's task before it is trained, for forward transfer.

    Args:
        trial: the trial's id.
        stage: index in the sequence.
        scores: of the last stage's features with the task's untrained readout.
        untrained: of the same path with random weights throughout.
    """

    trial: int
    stage: int
    scores: Mapping[str, float]
    untrained: Mapping[str, float]


@dataclass(frozen=True)
class Copied:
    """A module became a copy of another one.

    Args:
        layer: index of the layer.
        source: the module that was copied.
        target: the module that was overwritten.
        usefulness: that of the source.
    """

    layer: int
    source: int
    target: int
    usefulness: float


@dataclass(frozen=True)
class Evaluated:
    """An evaluation is over.

    Args:
        trial: the trial's id.
        stage: index in the sequence.
        number: how many were told before it in this stage.
        generation: the generation it belongs to.
        evaluation: the evaluation itself.
        replacements: what the strategy overwrote when it was told.
        copied: modules that were duplicated as the generation ended with it.
    """

    trial: int
    stage: int
    number: int
    generation: int
    evaluation: Evaluation
    replacements: tuple[Replacement, ...]
    copied: tuple[Copied, ...] = ()


@dataclass(frozen=True)
class EpisodesFinished:
    """Episodes ended, in a stage whose task has episodes.

    Args:
        trial: the trial's id.
        stage: index in the sequence.
        number: how many ended before them in this stage.
        used: frames that the stage has used, by what is in flight as well.
        episodes: the episodes, in order.
    """

    trial: int
    stage: int
    number: int
    used: int
    episodes: tuple[Episode, ...]


@dataclass(frozen=True)
class GenerationFinished:
    """A generation is over.

    Args:
        trial: the trial's id.
        stage: index in the sequence.
        generation: its index.
        evaluations: told so far in this stage.
        best: best fitness of this generation; None where all failed.
        mean: mean fitness of this generation; None where all failed.
        diversity: how alike the paths of the population are, by measure;
            empty where it was measured less than a quarter of the population's evaluations ago.
    """

    trial: int
    stage: int
    generation: int
    evaluations: int
    best: float | None
    mean: float | None
    diversity: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class FrontFound:
    """The Pareto front at the end of a stage with a multi-objective strategy.

    Args:
        trial: the trial's id.
        stage: index in the sequence.
        evaluations: how many the stage took.
        front: paths that do not dominate each other.
        chosen: index of the one that is the stage's best path.
    """

    trial: int
    stage: int
    evaluations: int
    front: Front
    chosen: int


@dataclass(frozen=True)
class NetworkMeasured:
    """The size of a finished stage's network.

    Args:
        trial: the trial's id.
        stage: index in the sequence.
        evaluations: how many the stage took.
        parameters: parameters of the network, its columns included.
        multiply_adds: multiply-adds of a prediction for one example, in matrix products and
            convolutions; None if they could not be counted.
        stored: parameters that the networks of all stages so far need together; not those of random
            columns, which are drawn again from the seed.
        fitted_readout: whether a readout of the columns, fitted in closed form, has a say in its
            predictions.
    """

    trial: int
    stage: int
    evaluations: int
    parameters: int
    multiply_adds: int | None
    stored: int
    fitted_readout: bool = False


@dataclass(frozen=True)
class NotScored:
    """A network, or the random baseline, could not be scored; the trial continues without it.

    Args:
        trial: the trial's id.
        stage: index of the stage that began or ended just then.
        evaluations: how many the stage has had; -1 as it begins.
        scored: index of the stage whose network it was; None for the random baseline.
        cause: why.
    """

    trial: int
    stage: int
    evaluations: int
    scored: int | None
    cause: str

    def __str__(self) -> str:
        return not_scored(self.scored, self.cause)


def not_scored(scored: int | None, cause: str) -> str:
    """What could not be scored, and why, as a sentence."""
    what = "the random baseline" if scored is None else f"stage {stage_number(scored)}'s network"
    return f"{what} could not be scored: {cause}"


@dataclass(frozen=True)
class StageFinished:
    """A stage is over, its best path known and scored.

    Args:
        trial: the trial's id.
        stage: index in the sequence.
        evaluations: how many it took.
        examples: training examples or frames it used.
        seconds: how long it took.
        genotype: the best genotype.
        path: the modules active with it.
        fitness: its latest fitness.
        reused: modules of the path that an earlier stage froze.
        frozen: the frozen modules after this stage.
        scores: for each stage so far whose network still exists, its test scores now; of those
            that could not be scored there is a ``NotScored`` instead.
        checkpoint: the checkpoint's folder and the SHA-256 of its manifest; None without one.
        usage: how its evaluations ran on workers, by name; see ``Evaluator.usage``.
    """

    trial: int
    stage: int
    evaluations: int
    examples: int
    seconds: float
    genotype: Rows
    path: Path
    fitness: float
    reused: Path
    frozen: Path
    scores: dict[int, dict[str, float]]
    checkpoint: tuple[str, str] | None
    usage: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Checkpointed:
    """A checkpoint within a stage is written, and durable.

    Args:
        trial: the trial's id.
        stage: index in the sequence.
        folder: where it lies in the run's folder.
        manifest: the SHA-256 of its manifest.
    """

    trial: int
    stage: int
    folder: str
    manifest: str


@dataclass(frozen=True)
class TrialLost:
    """A trial's process is lost; the trial restarts, and records after ``place`` are void.

    Args:
        trial: the trial's id.
        cause: what happened.
        place: the checkpoint that it resumes from; None is its beginning.
    """

    trial: int
    cause: str
    place: str | None

    def __str__(self) -> str:
        start = "its beginning" if self.place is None else self.place.rpartition("/")[2]
        return f"{self.cause}; it resumes from {start}"


@dataclass(frozen=True)
class TrialFinished:
    """A trial is over.

    Args:
        trial: the trial's id.
        state: ``finished``, ``stopped`` by ``StopRun``, ``failed`` or ``interrupted``.
        error: why it failed.
    """

    trial: int
    state: str
    error: str | None = None


Record: TypeAlias = (
    TrialStarted
    | TaskMade
    | StageStarted
    | StageResumed
    | Saturated
    | BeforeTraining
    | TransferPlanned
    | Evaluated
    | EpisodesFinished
    | GenerationFinished
    | FrontFound
    | NetworkMeasured
    | NotScored
    | StageFinished
    | Checkpointed
    | TrialLost
    | TrialFinished
)
Emit: TypeAlias = Callable[[Record], None]
"""Takes records, in order."""
