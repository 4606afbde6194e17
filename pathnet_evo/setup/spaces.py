"""Search spaces in a configuration: ranges of numbers and choices, in place of values."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Self, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    ValidationError,
    model_validator,
)

from pathnet_evo.setup.problems import ConfigError, Problem, problems

LARGEST = 2**53
"""Numbers from here on are not stored exactly."""
FIXED = (
    "checkpoints", "device", "executor", "jobs", "name", "observers", "plugins", "seed", "seeds",
    "sources", "sweep",
)  # fmt: skip
"""Keys of a configuration that all trials share."""

_Number = Annotated[
    StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)], Field(ge=-LARGEST, le=LARGEST)
]


class _Space(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Numbers(_Space):
    """A range of numbers; of integers if all its numbers are written as integers."""

    low: _Number
    """Smallest value."""
    high: _Number
    """Largest value, inclusive."""
    log: StrictBool = False
    """Sample logarithms uniformly instead of values."""
    step: _Number | None = None
    """Distance of values, counted from ``low``. Default: 1 for integers, none for other numbers."""

    @property
    def whole(self) -> bool:
        """Whether its values are integers."""
        return all(isinstance(n, int) for n in (self.low, self.high, self.step or 0))

    @model_validator(mode="after")
    def _can_be_sampled(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low is {self.low}, which is not below high, {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"log needs a low above 0, and it is {self.low}")
        if self.step is not None:
            if self.log:
                raise ValueError("log and step exclude each other")
            steps = (self.high - self.low) / self.step if self.step > 0 else 0.5
            if not math.isclose(steps, round(steps), abs_tol=1e-8):
                raise ValueError(f"step {self.step} does not lead from {self.low} to {self.high}")
        return self

    def probes(self) -> tuple[Any, Any]:
        """Its ends."""
        ends = (self.low, self.high)
        return ends if self.whole else (float(self.low), float(self.high))

    def contains(self, value: Any) -> bool:
        """Whether a trial can have this value."""
        kinds = (int,) if self.whole else (int, float)
        return type(value) in kinds and self.low <= value <= self.high

    def value(self, label: Any) -> Any:
        """The value that a study's number stands for: the number."""
        return label


class Choices(_Space):
    """A choice among any values: texts, numbers, lists, whole tables."""

    choices: list[Any] = Field(min_length=1)
    """The values."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.labels)) < len(self.choices):
            raise ValueError("two choices are equal")
        return self

    @property
    def labels(self) -> tuple[str | int | float | bool, ...]:
        """What a study calls the choices: themselves, or JSON unless all are plain and distinct."""
        plain = all(isinstance(choice, str | int | float | bool) for choice in self.choices)
        if plain and len(set(self.choices)) == len(self.choices):
            return tuple(self.choices)
        return tuple(json.dumps(choice, default=str) for choice in self.choices)

    def probes(self) -> tuple[Any, ...]:
        """All labels."""
        return self.labels

    def contains(self, value: Any) -> bool:
        """Whether a trial can have this label."""
        return any(type(value) is type(label) and value == label for label in self.labels)

    def value(self, label: Any) -> Any:
        """The choice with this label."""
        return self.choices[self.labels.index(label)]


Space: TypeAlias = Numbers | Choices
"""What a value of a configuration is sampled from."""
Labels: TypeAlias = Mapping[str, Any]
"""A point of the search space: for each place a number, or the label of a choice."""


def spaces_in(data: Mapping[str, Any]) -> dict[str, Space]:
    """The search spaces of a configuration by their places, such as ``learner.learning_rate``.

    Raises:
        ConfigError: a space that is none, or one at a key that all trials share.
    """
    found: dict[str, Space] = {}
    wrong: list[Problem] = []
    for place, table in _tables(data):
        first = place.partition(".")[0]
        model = _model(table)
        if first in FIXED:
            wrong.append(Problem(place, f"all trials share {first}: give a value, not a space"))
            continue
        try:
            found[place] = model.model_validate(table)
        except ValidationError as error:
            wrong += problems(error, model, place)
    if wrong:
        raise ConfigError(wrong)
    return found


def filled(data: Mapping[str, Any], spaces: Mapping[str, Space], labels: Labels) -> dict[str, Any]:
    """A configuration with a value in place of each space; ``data`` stays as it is."""
    return {key: _filled(value, str(key), spaces, labels) for key, value in data.items()}


def probes(spaces: Mapping[str, Space]) -> Iterator[dict[str, Any]]:
    """Points that show whether a space has values that a configuration cannot have.

    First the point of all first choices and low ends, then that of all last ones and high ends,
    then for every other choice the first point with this choice.
    """
    first = {place: space.probes()[0] for place, space in spaces.items()}
    yield first
    yield {place: space.probes()[-1] for place, space in spaces.items()}
    for place, space in spaces.items():
        for label in space.probes()[1:-1]:
            yield {**first, place: label}


def _model(table: Mapping[str, Any]) -> type[Numbers] | type[Choices]:
    return Choices if "choices" in table else Numbers


def _is_space(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and not value.keys() & {"name", "kind"}
        and bool(value.keys() & {"low", "high", "choices"})
    )


def _tables(value: Any, place: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The tables in plain data that are search spaces, and where they are."""
    if _is_space(value):
        yield place, value
        return
    parts: Sequence[tuple[Any, Any]] = []
    if isinstance(value, Mapping):
        parts = [*value.items()]
    elif isinstance(value, list):
        parts = [*enumerate(value)]
    for key, part in parts:
        yield from _tables(part, f"{place}.{key}" if place else str(key))


def _filled(value: Any, place: str, spaces: Mapping[str, Space], labels: Labels) -> Any:
    if place in spaces:
        return spaces[place].value(labels[place])
    if isinstance(value, Mapping):
        return {k: _filled(v, f"{place}.{k}", spaces, labels) for k, v in value.items()}
    if isinstance(value, list):
        return [_filled(v, f"{place}.{i}", spaces, labels) for i, v in enumerate(value)]
    return value
