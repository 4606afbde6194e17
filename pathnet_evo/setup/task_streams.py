"""Streams: the stages of a continual-learning benchmark from one table (``[stream]``)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pathnet_evo.setup.sections import LearnerSection, TaskSection

MOST_STAGES = 1000
"""The most stages of a stream."""


Number: TypeAlias = Annotated[int, Field(ge=1, strict=True)]
Seed: TypeAlias = Annotated[int, Field(ge=0, lt=2**32, strict=True)]


class Stream(BaseModel):
    """Options of every stream: what each of its stages gets."""

    model_config = ConfigDict(extra="forbid")

    name: str
    """Name of the stream."""
    generations: Number | list[Number] = 100
    """Budget of each stage in generations; a list has one number per stage."""
    frames: Number | None = None
    """Budget of each stage in examples or frames; replaces ``generations``."""
    threshold: float | None = Field(None, allow_inf_nan=False)
    """Stop a stage when a fitness reaches this value."""
    learner: LearnerSection | None = None
    """Learner of the stages. Default: the run's learner."""

    @abstractmethod
    def tasks_by_name(self) -> Iterator[tuple[str | None, dict[str, Any]]]:
        """The tasks in order, each with its stage's name, or None for the task's own name."""

    def stages(self) -> list[dict[str, Any]]:
        """The stages, as ``[[stages]]`` has them.

        Raises:
            ValueError: ``generations`` lists another number of stages.
        """
        made = list(self.tasks_by_name())
        budgets = self.generations
        if not isinstance(budgets, list):
            budgets = [budgets] * len(made)
        if len(budgets) != len(made):
            raise ValueError(f"{len(budgets)} numbers of generations for {len(made)} stages")
        shared = {"frames": self.frames, "threshold": self.threshold, "learner": self.learner}
        return [
            {
                **({} if name is None else {"name": name}),
                "task": task,
                "generations": generations,
                **{key: value for key, value in shared.items() if value is not None},
            }
            for (name, task), generations in zip(made, budgets, strict=True)
        ]


class Split(Stream):
    """The classes of one image task in equal parts, one stage each (Zenke et al. 2017)."""

    name: Literal["split"]
    """Name of the stream."""
    task: TaskSection
    """The image task whose classes are divided."""
    parts: int = Field(ge=1, le=MOST_STAGES, strict=True)
    """Number of stages; each gets at least two classes."""
    shuffle: bool = False
    """Divide the classes in a random order, drawn by the trial's seed; else in their own order."""

    def tasks_by_name(self) -> Iterator[tuple[str | None, dict[str, Any]]]:
        """The same task with different classes."""
        for part in range(self.parts):
            classes = {"part": part, "of": self.parts, "shuffle": self.shuffle}
            yield None, {**self.task, "classes": classes}


class Permuted(Stream):
    """One image task with the pixels in another random order at each stage.

    Goodfellow et al. (2013) and Kirkpatrick et al. (2017). As in Lopez-Paz and Ranzato (2017), the
    first stage is permuted as well.
    """

    name: Literal["permuted"]
    """Name of the stream."""
    task: TaskSection
    """The image task."""
    parts: int = Field(ge=1, le=MOST_STAGES, strict=True)
    """Number of stages."""
    seed: Seed = 0
    """Number of the first stage's permutation; the others follow. Trial seeds do not change it."""

    def tasks_by_name(self) -> Iterator[tuple[str | None, dict[str, Any]]]:
        """The same task with different permutations."""
        for part in range(self.parts):
            yield f"permutation {part}", {**self.task, "permutation": self.seed + part}


class Rotated(Stream):
    """One image task, rotated by a fixed angle at each stage (Lopez-Paz and Ranzato 2017)."""

    name: Literal["rotated"]
    """Name of the stream."""
    task: TaskSection
    """The image task."""
    degrees: list[Annotated[float, Field(allow_inf_nan=False)]] = Field(
        min_length=1, max_length=MOST_STAGES
    )
    """Angle of each stage, counter-clockwise."""

    def tasks_by_name(self) -> Iterator[tuple[str | None, dict[str, Any]]]:
        """The same task at different angles."""
        for angle in self.degrees:
            yield f"rotated by {angle:g}", {**self.task, "rotation": angle}


class Listed(Stream):
    """Any tasks, one stage each."""

    name: Literal["list"]
    """Name of the stream."""
    tasks: list[TaskSection] = Field(min_length=1, max_length=MOST_STAGES)
    """The tasks, in order."""

    def tasks_by_name(self) -> Iterator[tuple[str | None, dict[str, Any]]]:
        """The tasks as they are."""
        for task in self.tasks:
            yield None, task


class CTrL(Stream):
    """The shape of a CTrL stream, on any image tasks (Veniat et al. 2021).

    The first task has many training images, the others few. At the end, the first task returns
    with few, so its stage shows whether what was learned long ago is found and used again.
    """

    shuffle: ClassVar[bool] = False

    tasks: list[TaskSection] = Field(min_length=1, max_length=MOST_STAGES)
    """The tasks before the first one returns."""
    large: Number = 4000
    """Training images of the first stage; CTrL has 400 a class."""
    small: Number = 400
    """Training images of every other stage; CTrL has 40 a class."""

    @model_validator(mode="after")
    def _sizes(self) -> CTrL:
        if self.small >= self.large:
            raise ValueError(f"small is {self.small}, expected fewer than large ({self.large})")
        return self

    def tasks_by_name(self) -> Iterator[tuple[str | None, dict[str, Any]]]:
        """The tasks, then the first again."""
        first, *others = self.tasks
        yield None, {**first, "examples": self.large}
        for task in others:
            yield None, {**task, "examples": self.small}
        again = {**first, "examples": self.small}
        if self.shuffle:
            again["classes"] = {"part": 0, "of": 1, "shuffle": True}
        yield f"{first.get('name')} again", again


class SMinus(CTrL):
    """CTrL's S-: at the end, the first task returns with few images."""

    name: Literal["ctrl-s-minus"]
    """Name of the stream."""


class SOut(CTrL):
    """CTrL's S-out: at the end, the first task returns with few images and permuted labels."""

    shuffle: ClassVar[bool] = True

    name: Literal["ctrl-s-out"]
    """Name of the stream."""


StreamConfig: TypeAlias = Annotated[
    Split | Permuted | Rotated | Listed | SMinus | SOut, Field(discriminator="name")
]
"""A stream, by its name."""
STREAMS: dict[str, type[Stream]] = {
    "split": Split,
    "permuted": Permuted,
    "rotated": Rotated,
    "list": Listed,
    "ctrl-s-minus": SMinus,
    "ctrl-s-out": SOut,
}
"""Streams by name."""
