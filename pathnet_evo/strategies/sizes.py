"""Sizes that change over generations: schedules of selection pressure."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field

Steps: TypeAlias = tuple[tuple[int, int], ...]
"""``(generation, size)`` pairs, ascending; the first is of generation 0."""

WANTED = "expected a whole number from 1, or [generation, size] pairs that ascend from generation 0"


def steps(value: Any) -> Any:
    """A size or a list of pairs as ``Steps``; None stays None.

    Raises:
        ValueError: the value is neither.
    """
    if value is None:
        return None
    pairs = [[0, value]] if type(value) is int else value
    if not isinstance(pairs, list | tuple) or not pairs:
        raise ValueError(WANTED)
    for pair in pairs:
        whole = isinstance(pair, list | tuple) and [type(n) for n in pair] == [int, int]
        if not whole or pair[1] < 1:
            raise ValueError(WANTED)
    generations = [generation for generation, _ in pairs]
    if generations[0] != 0 or generations != sorted(set(generations)):
        raise ValueError(WANTED)
    return tuple((generation, size) for generation, size in pairs)


Size: TypeAlias = Annotated[int, Field(ge=1)]
Schedule: TypeAlias = Annotated[
    Steps | None,
    BeforeValidator(steps, json_schema_input_type=Size | list[tuple[int, Size]] | None),
]
"""A field that takes ``20`` or ``[[0, 2], [50, 5], [100, 10]]``.

Piecewise constant: each size applies from its generation until the next pair's.
"""


def size_at(schedule: Steps, generation: int) -> int:
    """The size in a generation."""
    return next(size for first, size in reversed(schedule) if first <= generation)


def largest(schedule: Steps) -> int:
    """The largest size of a schedule."""
    return max(size for _, size in schedule)
