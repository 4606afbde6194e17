"""A trial's state as the tensors of one file and JSON, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

TENSOR = "$tensor"
"""The one key of the table that stands for a tensor in ``state.json``."""


NUMBER = "$number"
"""The same for a number that is not finite, which JSON does not have."""
FITTED = ("bias", "weight", "spread")
"""Tensors of a fitted readout, besides a map for each layer."""


def split(taken: dict[str, Any], whole: bool) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """A snapshot as the tensors of one file, and what is left of it."""
    tensors: dict[str, Tensor] = {}
    for i, layer in enumerate(taken["layers"]):
        for part, prefix in (("parameters", "layer"), ("statistics", "statistics")):
            for name, values in layer[part].items():
                tensors[f"{prefix}-{i}.{name}"] = values if whole else values[~layer["frozen"]]
        for part in ("frozen", "versions", "incarnations"):
            tensors[f"{part}-{i}"] = layer[part]
    if whole:
        for i, stage in enumerate(taken["learned"]):
            tensors |= _of_head(i, stage["head"])
            for part, values in zip(("shift", "scale"), taken["normalisation"][i], strict=True):
                if values is not None:
                    tensors[f"{part}-{i}"] = values
    plain = {
        "stages": [
            {
                "name": stage["name"],
                "path": stage["path"],
                "columns": _listened(stage["head"]),
                "signature": signature,
            }
            for stage, signature in zip(taken["learned"], taken["signatures"], strict=True)
        ],
        "aggregate": taken["aggregate"],
        "layers": taken["kinds"],
        "input_shape": taken["input_shape"],
        "session": _apart(taken["session"], tensors),
        "data": taken["data"],
    }
    return {n: values.detach().cpu().contiguous() for n, values in tensors.items()}, plain


def layer_of(tensors: dict[str, Tensor], i: int, under: dict[str, Any] | None) -> dict[str, Any]:
    """A layer's state, with what is frozen from the checkpoint under this one."""
    frozen = tensors[f"frozen-{i}"]
    layer: dict[str, Any] = {"frozen": frozen}
    for part in ("versions", "incarnations"):
        layer[part] = tensors[f"{part}-{i}"]
    for part, prefix in (("parameters", f"layer-{i}."), ("statistics", f"statistics-{i}.")):
        layer[part] = {
            name.removeprefix(prefix): values
            for name, values in tensors.items()
            if name.startswith(prefix)
        }
        if under is None:
            continue
        for name, rows in layer[part].items():
            values = rows.new_zeros(len(frozen), *rows.shape[1:])
            if name in under[part]:
                values[: len(under[part][name])] = under[part][name]
            values[~frozen] = rows
            layer[part][name] = values
    return layer


def _listened(head: dict[str, Any]) -> list[int]:
    """The stages that a head listens to."""
    return [] if head["columns"] is None else list(head["columns"]["stages"])


def _of_head(i: int, head: dict[str, Any]) -> dict[str, Tensor]:
    """The tensors of a stage's head, by name: its readout, its maps, what its columns are like."""
    found = {f"readout-{i}.{n}": values for n, values in head["readout"]["parameters"].items()}
    for layer, lateral in enumerate(head["laterals"]):
        if lateral is not None:
            found[f"lateral-{i}-{layer}.weight"] = lateral["parameters"]["weight"]
    if (columns := head["columns"]) is None:
        return found
    for part in ("shift", "scale"):
        for layer, values in enumerate(columns[part]):
            found[f"column-{part}-{i}-{layer}"] = values
    if (fitted := columns.get("fitted")) is not None:
        found |= {f"fitted-{i}-{layer}": values for layer, values in enumerate(fitted["maps"])}
        found |= {f"fitted-{part}-{i}": fitted[part] for part in FITTED}
    return found


def head_of(
    tensors: dict[str, Tensor], i: int, stage: dict[str, Any], layers: int
) -> dict[str, Any]:
    """The state of a stage's head, from its tensors and the plain data of its stage."""
    head: dict[str, Any] = {
        "readout": _of_stack(tensors, f"readout-{i}"),
        "laterals": [],
        "columns": None,
    }
    if stage.get("columns"):
        names = [f"lateral-{i}-{layer}" for layer in range(layers + 1)]
        head["laterals"] = [
            _of_stack(tensors, name) if f"{name}.weight" in tensors else None for name in names
        ]
        head["columns"] = {"stages": stage["columns"], **read_columns(tensors, i, layers)}
    return head


def read_columns(tensors: Mapping[str, Tensor], i: int, layers: int) -> dict[str, Any]:
    """How a stage's head standardises what its columns say, and its fitted readout, if any."""
    found: dict[str, Any] = {
        part: [tensors[f"column-{part}-{i}-{layer}"] for layer in range(layers)]
        for part in ("shift", "scale")
    }
    if f"fitted-{i}-0" in tensors:
        found["fitted"] = {
            "maps": [tensors[f"fitted-{i}-{layer}"] for layer in range(layers)],
            **{part: tensors[f"fitted-{part}-{i}"] for part in FITTED},
        }
    return found


def _of_stack(tensors: dict[str, Tensor], prefix: str) -> dict[str, Any]:
    """The state of a stack of which only the parameters were kept."""
    parameters = {
        name.removeprefix(f"{prefix}."): values
        for name, values in tensors.items()
        if name.startswith(f"{prefix}.")
    }
    modules = len(next(iter(parameters.values())))
    nothing = torch.zeros(modules, dtype=torch.int64)
    return {
        "parameters": parameters,
        "statistics": {},
        "frozen": nothing.bool(),
        "versions": nothing,
        "incarnations": nothing,
    }


def copied(value: Any) -> Any:
    """Plain data and tensors, independent of what they were taken of."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: copied(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [copied(part) for part in value]
    return value


def _apart(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Plain data as JSON has it, with names in place of tensors, which are added to ``tensors``."""
    if isinstance(value, Tensor):
        name = f"session.{len(tensors)}"
        tensors[name] = value
        return {TENSOR: name}
    if isinstance(value, float) and not math.isfinite(value):
        return {NUMBER: str(float(value))}
    if isinstance(value, dict):
        return {key: _apart(part, tensors) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_apart(part, tensors) for part in value]
    return value


def joined(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Plain data with its tensors in their places again."""
    if isinstance(value, dict) and set(value) == {TENSOR}:
        return tensors[value[TENSOR]]
    if isinstance(value, dict) and set(value) == {NUMBER}:
        return float(value[NUMBER])
    if isinstance(value, dict):
        return {key: joined(part, tensors) for key, part in value.items()}
    if isinstance(value, list):
        return [joined(part, tensors) for part in value]
    return value
