"""What the cells of a lineage hold: written as valid JSON, and checked before anything is built."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from pathnet_evo.core.genotype import Path
from pathnet_evo.values.numbers import simple

MOST_MODULES = 1_000_000
"""The most modules of a pool that readers make room for."""


def plain(value: Any) -> str:
    """Compact JSON; a number that is not finite becomes its name, ``"inf"``, ``"-inf"``, ``"nan"``.

    ``number`` takes both.
    """
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False, default=simple)
    except ValueError:
        return json.dumps(
            _named(value), separators=(",", ":"), allow_nan=False, default=_named_simple
        )


def real(value: float | None) -> float | str | None:
    """A number as a column of reals has it: SQLite has no NaN, and keeps its name instead."""
    if value is None:
        return None
    return "nan" if math.isnan(value) else float(value)


def number(value: Any) -> float:
    """A number that ``plain`` or ``real`` wrote, finite or not.

    Raises:
        ValueError: it is none.
    """
    if value in ("inf", "-inf", "nan"):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"not a number: {value!r:.40}")
    return float(value)


def number_or_none(value: Any) -> float | None:
    """The same, where there may be none."""
    return None if value is None else number(value)


def counts(text: str) -> tuple[int, ...]:
    """The modules of each layer.

    Raises:
        ValueError: it is something else, or more than any pool has.
    """
    found = _integers(json.loads(text), MOST_MODULES)
    if not found or min(found) < 1 or sum(found) > MOST_MODULES:
        raise ValueError(f"not the modules of each layer: {text:.40}")
    return found


def genotype(text: str, counts: Sequence[int]) -> list[list[int]]:
    """A genotype: for each layer as many genes, each a module of the layer."""
    return genes(json.loads(text), counts)


def genes(rows: Any, counts: Sequence[int]) -> list[list[int]]:
    """A genotype that was read as part of something else."""
    if not isinstance(rows, list) or len(rows) != len(counts):
        raise ValueError(f"not a genotype of {len(counts)} layers")
    found = [[*_integers(row, count - 1)] for row, count in zip(rows, counts, strict=True)]
    if not found[0] or len({len(row) for row in found}) != 1:
        raise ValueError("a genotype without genes, or with more in one layer than in another")
    return found


def population(text: str, counts: Sequence[int]) -> list[list[list[int]]]:
    """The genotypes of a population, one a place."""
    found = json.loads(text)
    if not isinstance(found, list) or not found:
        raise ValueError(f"not a population: {text:.40}")
    return [genes(rows, counts) for rows in found]


def path(text: str, counts: Sequence[int]) -> Path:
    """Modules of each layer, which may be none."""
    found = json.loads(text)
    if not isinstance(found, list) or len(found) != len(counts):
        raise ValueError(f"not a path through {len(counts)} layers: {text:.40}")
    return tuple(_integers(row, count - 1) for row, count in zip(found, counts, strict=True))


def scores(text: str | None) -> dict[int, dict[str, float]]:
    """For each stage its scores by name."""
    found = json.loads(text) if text else {}
    return {int(i): {str(k): number(v) for k, v in of.items()} for i, of in found.items()}


def usage(text: str | None) -> dict[str, float]:
    """How a stage's evaluations ran, by name."""
    found = json.loads(text) if text else {}
    return {str(name): number(value) for name, value in found.items()}


def _integers(values: Any, most: int) -> tuple[int, ...]:
    if not isinstance(values, list) or any(
        type(v) is not int or not 0 <= v <= most for v in values
    ):
        raise ValueError(f"not whole numbers from 0 to {most}")
    return tuple(values)


def _named(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(float(value))
    if isinstance(value, dict):
        return {key: _named(part) for key, part in value.items()}
    return [_named(part) for part in value] if isinstance(value, list | tuple) else value


def _named_simple(value: Any) -> Any:
    return _named(simple(value))
