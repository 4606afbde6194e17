"""Saving dataclasses, such as a strategy's state, as plain data, and restoring them."""

from __future__ import annotations

import types
from collections import deque
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from deap import base

from pathnet_evo.interfaces.population import Member, member_from, member_state


def packed(value: Any) -> Any:
    """Plain data, as JSON has it.

    A dataclass becomes the list of its fields' values, a dict the list of its items; an item whose
    value is a dataclass is its key and that value's fields.

    Raises:
        TypeError: it holds something else than numbers, text, members, lists, deques, tuples,
            dicts and dataclasses of these.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Member):
        return member_state(value)
    if is_dataclass(value) and not isinstance(value, type):
        return [packed(getattr(value, field.name)) for field in fields(value)]
    if isinstance(value, Mapping):
        return [_item(key, part) for key, part in value.items()]
    if isinstance(value, list | tuple | deque):
        return [packed(part) for part in value]
    raise TypeError(f"a {type(value).__name__} is no plain data, and cannot be saved")


def packed_fields(value: Any) -> dict[str, Any]:
    """The fields of a dataclass by name, each ``packed``."""
    return {field.name: packed(getattr(value, field.name)) for field in fields(value)}


def unpacked_fields(kind: type[Any], data: Mapping[str, Any], fitness: type[base.Fitness]) -> Any:
    """The dataclass from its ``packed_fields``.

    Args:
        kind: its type, whose fields say what the data stand for.
        data: its fields by name; others are passed over.
        fitness: the DEAP fitness of members.
    """
    hints = get_type_hints(kind)
    return kind(**{f.name: _unpacked(hints[f.name], data[f.name], fitness) for f in fields(kind)})


def _item(key: Any, value: Any) -> list[Any]:
    flat = is_dataclass(value) and not isinstance(value, Member)
    return [key, *packed(value)] if flat else [key, packed(value)]


def _unpacked(hint: Any, data: Any, fitness: type[base.Fitness]) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if data is None:
            return None
        (hint,) = (each for each in arguments if each is not type(None))
        return _unpacked(hint, data, fitness)
    if hint is Member:
        return member_from(data, fitness)
    if is_dataclass(hint):
        assert isinstance(hint, type)
        hints = get_type_hints(hint)
        parts = zip(fields(hint), data, strict=False)  # earlier versions saved fewer fields
        return hint(**{f.name: _unpacked(hints[f.name], part, fitness) for f, part in parts})
    if origin is dict:
        flat = is_dataclass(arguments[1]) and arguments[1] is not Member
        values = ((item[0], item[1:] if flat else item[1]) for item in data)
        return {key: _unpacked(arguments[1], value, fitness) for key, value in values}
    if origin is tuple:
        inner = arguments[:-1] * len(data) if arguments[1:] == (...,) else arguments
        return tuple(_unpacked(h, part, fitness) for h, part in zip(inner, data, strict=True))
    if origin in (list, deque):
        return origin(_unpacked(arguments[0], part, fitness) for part in data)
    return data
