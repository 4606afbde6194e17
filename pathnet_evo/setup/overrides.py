"""``--set``: keys of a configuration overridden by place, before it is validated."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from typing import Any

from pathnet_evo.setup.problems import ConfigError, Problem
from pathnet_evo.setup.sections import as_table
from pathnet_evo.values.encodings import typed


def override(data: dict[str, Any], settings: Iterable[str]) -> None:
    """Apply ``a.b=VALUE`` settings in place; ``*`` stands for every entry of a list.

    VALUE is a TOML value; what is none is taken as a string.

    Raises:
        ConfigError: no ``=``, or a place that the configuration does not have.
    """
    found = []
    for setting in settings:
        place, equals, text = typed(setting).partition("=")
        if not equals or not place:
            found.append(Problem(f"--set {setting}", "expected PLACE=VALUE"))
            continue
        try:
            _put(data, place.split("."), _value(text))
        except LookupError as error:
            found.append(Problem(f"--set {place}", str(error.args[0])))
    if found:
        raise ConfigError(found)


def _value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return parsed["value"] if set(parsed) == {"value"} else text


def _put(data: Any, keys: list[str], value: Any) -> None:
    key, rest = keys[0], keys[1:]
    if isinstance(data, list):
        for i in _indices(data, key):
            if rest:
                data[i] = as_table(data[i])
                _put(data[i], rest, value)
            else:
                data[i] = value
    elif isinstance(data, dict):
        if rest:
            data[key] = as_table(data.get(key, {}))
            _put(data[key], rest, value)
        else:
            data[key] = value
    else:
        raise LookupError(f"{key}: the value above it is not a table or a list")


def _indices(data: list[Any], key: str) -> Iterable[int]:
    if key == "*":
        return range(len(data))
    if re.fullmatch(r"\d{1,6}", key) and int(key) < len(data):
        return [int(key)]
    raise LookupError(f"no entry {key!r} in a list of {len(data)} (a number from 0, or *)")
