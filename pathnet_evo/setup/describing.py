"""What a configuration can say: sections, the plugins of each family, and their options."""

from __future__ import annotations

import inspect
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from pathnet_evo.errors import UserError
from pathnet_evo.interfaces.operators import PREFIXES, TAKES, deap_operators
from pathnet_evo.plugins.registry import SINGULAR, PluginError, Registry
from pathnet_evo.setup.config import (
    ArmConfig,
    CheckpointsConfig,
    PoolConfig,
    RunConfig,
    StageConfig,
    TransferConfig,
)
from pathnet_evo.setup.json_schema import model_of, section_schema
from pathnet_evo.setup.meanings import summary
from pathnet_evo.setup.sections import FAMILY
from pathnet_evo.setup.task_streams import STREAMS
from pathnet_evo.system.plugin_calls import PluginFailed
from pathnet_evo.values.suggestions import did_you_mean

SECTIONS: Mapping[str, tuple[str, type[BaseModel]]] = {
    "run": ("", RunConfig),
    "stage": ("stages.*", StageConfig),
    "arm": ("arms.*", ArmConfig),
    "pool": ("pool", PoolConfig),
    "transfer": ("transfer", TransferConfig),
    "checkpoints": ("checkpoints", CheckpointsConfig),
}
"""The framework's own sections: the place of each in a configuration, and its model."""
PLACES: Mapping[str, str] = {
    "task": "stages.*.task",
    "stream": "stream",
    "learner": "learner",
    "strategy": "strategy",
    "policy": "arms.*.transfer",
    "module": "pool.layers.*",
    "engine": "engine",
    "executor": "executor",
    "observer": "observers.*",
    "operator": "strategy.*",
}
"""The place in a configuration of each kind that has names: plugins, and streams."""
KINDS = (*PLACES, *SECTIONS)
FAMILIES = {kind: family for family, kind in SINGULAR.items()}
LONGEST = 60
"""Characters of a default that is shown whole."""


@dataclass(frozen=True)
class Option:
    """A key of a section.

    Args:
        key: the key.
        type: what it takes, in words.
        default: its default as JSON data; None if there is none to show.
        required: whether a configuration must give it.
        meaning: one paragraph.
    """

    key: str
    type: str
    default: Any
    required: bool
    meaning: str

    def __str__(self) -> str:
        """The key with its default, as in TOML."""
        if self.default is None:
            return self.key
        shown = toml_value(self.default)
        return f"{self.key} = {shown if len(shown) <= LONGEST else '...'}"


@dataclass(frozen=True)
class Section:
    """A section of a configuration, or a plugin that one can name.

    Args:
        kind: one of ``KINDS``.
        name: the plugin's name; empty for the framework's own sections.
        place: where it is in a configuration, as ``--set`` takes it.
        meaning: one paragraph.
        options: its keys.
    """

    kind: str
    name: str
    place: str
    meaning: str
    options: tuple[Option, ...]


def about(registry: Registry, family: str, name: str) -> str:
    """A plugin in one line; why it is none, if it cannot be imported."""
    try:
        if family == "operators":
            return summary(_operators(registry)[name])
        return summary(registry.get(family, name))
    except PluginError as error:
        return f"failed: {error}"


def meaning(registry: Registry, kind: str, name: str) -> str:
    """What a name of a kind is, in one line."""
    return summary(STREAMS[name]) if kind == "stream" else about(registry, FAMILIES[kind], name)


def names(registry: Registry, kind: str) -> list[str]:
    """The names that a kind has; none of the framework's own sections.

    Raises:
        UserError: there is no such kind.
    """
    if kind in SECTIONS:
        return []
    if kind not in PLACES:
        raise UserError(f"kind {kind!r}: {_unknown(kind, KINDS)}")
    if kind == "stream":
        return sorted(STREAMS)
    if kind == "operator":
        return sorted(_operators(registry))
    return registry.names(FAMILIES[kind])


def describe(registry: Registry, kind: str, name: str = "") -> Section:
    """A section, with everything that it can say.

    Raises:
        UserError: no such kind or plugin, or one that cannot be described.
    """
    known = names(registry, kind)
    if kind in SECTIONS:
        if name:
            raise UserError(f"{kind} {name!r}: {kind} is a section of its own, and has no names")
        place, model = SECTIONS[kind]
        return Section(kind, "", place, summary(model), model_options(model))
    if kind == "operator" and name in known:
        return _operator(registry, name)
    if kind == "stream" and name in known:
        options = tuple(o for o in model_options(STREAMS[name]) if o.key != "name")
        return Section(kind, name, PLACES[kind], summary(STREAMS[name]), options)
    if name not in known and (kind == "stream" or not any(p.errors for p in registry.plugins)):
        raise UserError(f"{kind} {name!r}: {_unknown(name, known)}")
    try:
        plugin = registry.get(FAMILIES[kind], name)
        options = model_options(model_of(registry, FAMILIES[kind], name))
    except (PluginError, PluginFailed) as error:
        raise UserError(f"{kind} {name!r}: {error}") from None
    return Section(kind, name, PLACES[kind], summary(plugin), options)


def model_options(model: type[BaseModel]) -> tuple[Option, ...]:
    """The options that a model has.

    Raises:
        PluginFailed: a plugin's field has a type that JSON Schema cannot express.
    """
    schema = section_schema(model)
    required, defined = schema.get("required", ()), schema.get("$defs", {})
    return tuple(
        Option(
            key,
            type_in_words(field, defined),
            field.get("default"),
            key in required,
            field.get("description", ""),
        )
        for key, field in schema.get("properties", {}).items()
    )


def type_in_words(schema: Mapping[str, Any], defined: Mapping[str, Any]) -> str:
    """What a field takes: ``integer >= 1``, ``"sum" | "mean"``, ``list of text``."""
    if FAMILY in schema:
        return f"{SINGULAR[schema[FAMILY]]} table"
    if "discriminator" in schema:
        return f"table by {schema['discriminator']['propertyName']}"
    if "$ref" in schema:
        return type_in_words(defined[schema["$ref"].rpartition("/")[2]], defined)
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(type_in_words(part, defined) for part in schema["anyOf"]))
    if "const" in schema or "enum" in schema:
        return " | ".join(map(toml_value, schema.get("enum") or [schema["const"]]))
    kind = schema.get("type", "anything")
    if kind == "array":
        if "prefixItems" in schema:
            return f"[{', '.join(type_in_words(part, defined) for part in schema['prefixItems'])}]"
        return f"list of {type_in_words(schema.get('items', {}), defined)}"
    if kind == "object":
        keys = ", ".join(schema.get("properties", ()))
        return f"table {{{keys}}}" if keys else "table"
    if kind == "string":
        return "path" if schema.get("format") == "path" else "text"
    return f"{kind}{_bounds(schema)}"


def toml_value(value: Any) -> str:
    """JSON data as TOML writes it on one line."""
    if isinstance(value, dict):
        inside = ", ".join(f"{key} = {toml_value(v)}" for key, v in value.items() if v is not None)
        return f"{{{inside}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def _bounds(schema: Mapping[str, Any]) -> str:
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    found = [f"{sign} {schema[key]}" for key, sign in signs.items() if key in schema]
    return f" {', '.join(found)}" if found else ""


def _operators(registry: Registry) -> dict[str, Any]:
    of_deap = {n: f for kind in PREFIXES for n, f in deap_operators(kind).items()}
    return {**of_deap, **registry.operators}


def _operator(registry: Registry, name: str) -> Section:
    function = _operators(registry)[name]
    kind = next((kind for kind in PREFIXES if name in deap_operators(kind)), None)
    given = TAKES[kind] if kind else 0
    place = PLACES["operator"].replace("*", kind or "*")
    return Section("operator", name, place, summary(function), tuple(_arguments(function, given)))


def _arguments(function: Any, given: int) -> Iterator[Option]:
    """The arguments of an operator besides the individuals, as its docstring explains them."""
    told = dict(re.findall(r":param (\w+): ((?:.|\n(?!\s*:))*)", function.__doc__ or ""))
    for argument in list(inspect.signature(function).parameters.values())[given:]:
        required = argument.default is argument.empty
        default = None if required else argument.default
        meaning = " ".join(told.get(argument.name, "").split())
        yield Option(argument.name, "anything", default, required, meaning)


def _unknown(name: str, known: Any) -> str:
    return f"unknown.{did_you_mean(name, known)} (have: {', '.join(known) or 'none'})"
