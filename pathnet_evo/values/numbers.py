"""Conversion of any library's numbers to Python's, between plugins and records."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from typing import Any, SupportsFloat


def whole(value: Any) -> int:
    """A whole number of any type: Python's, NumPy's, torch's, or a float without a fraction.

    Raises:
        TypeError: not a number, or not a whole one.
    """
    try:
        return operator.index(value)
    except TypeError:
        if isinstance(value, SupportsFloat) and float(value).is_integer():
            return int(float(value))
        raise TypeError(f"expected a whole number, got {value!r}") from None


def named(values: Mapping[Any, Any]) -> dict[str, float]:
    """Numbers by name, such as scores, as plain data."""
    return {str(name): float(value) for name, value in values.items()}


def simple(value: Any) -> Any:
    """JSON data for a number or array of another library.

    Raises:
        TypeError: neither of them.
    """
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"not plain data: {type(value).__name__}")


def plain_numbers(value: Any) -> Any:
    """The same data with None for every non-finite number."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: plain_numbers(v) for key, v in value.items()}
    return [plain_numbers(v) for v in value] if isinstance(value, list | tuple) else value
