"""The JSON Schema of a configuration, the sections of all registered plugins included."""

from __future__ import annotations

import json
from collections.abc import Container, Iterator
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema

from pathnet_evo.plugins.registry import BASES, PluginError, Registry
from pathnet_evo.setup.config import RunConfig
from pathnet_evo.setup.meanings import meanings, summary
from pathnet_evo.setup.sections import FAMILY
from pathnet_evo.setup.spaces import FIXED, Choices, Numbers
from pathnet_evo.setup.sweeps import SweepConfig
from pathnet_evo.system.plugin_calls import PluginFailed, calling
from pathnet_evo.values.numbers import plain_numbers

SCHEMA_FILE = "pathnet-evo.schema.json"
SCHEMA_COMMENT = f"#:schema ./{SCHEMA_FILE}"
"""First line of a TOML file: editors complete and check it by the schema in the file beside it."""
DIALECT = "https://json-schema.org/draft/2020-12/schema"

SPACE = "search space"
"""The definition of what a sweep can search in place of a value."""
PLAIN = {"default", "enum", "const", "required", "properties", "items"}
"""Keys of a schema that hold no schemas, or are handled by themselves."""

REPEAT: JsonSchemaValue = {
    "type": "integer",
    "minimum": 1,
    "default": 1,
    "description": "Number of identical layers.",
}
"""The framework's own key of a layer."""


def model_of(registry: Registry, family: str, name: str) -> type[BaseModel]:
    """The model that checks a plugin's section.

    Raises:
        PluginError: no such plugin, or it cannot be imported.
    """
    found = registry.get(family, name)
    model: type[BaseModel] = found.Settings if family == "strategies" else found
    return model


def section_schema(model: type[BaseModel]) -> JsonSchemaValue:
    """The JSON Schema of a section, with the docstring of each field as its description.

    Raises:
        PluginFailed: a plugin's field has a type that JSON Schema cannot express.
    """
    with calling("its JSON Schema"):
        return model.model_json_schema(schema_generator=_Described)


def configuration_schema(registry: Registry) -> JsonSchemaValue:
    """The JSON Schema of a whole configuration; a section's ``name`` decides which keys it has.

    Plugins that cannot be imported or described are left out.
    """
    models = dict(_models(registry))
    wanted = [(RunConfig, "validation"), *((m, "validation") for m in models.values())]
    refs, made = models_json_schema(wanted, schema_generator=_Described)  # type: ignore[arg-type]
    definitions: dict[str, Any] = made["$defs"]

    def of(model: type[BaseModel]) -> dict[str, Any]:
        found: dict[str, Any] = definitions[refs[model, "validation"]["$ref"].rpartition("/")[2]]
        return found

    sections = {
        f"{family}.{name}": _named(of(model), family, name)
        for (family, name), model in models.items()
    }
    families = {family: _choice(family, [*sections]) for family in BASES if family != "operators"}
    root = of(RunConfig)
    schema = {
        "$schema": DIALECT,
        "title": "A run of pathnet-evo",
        **root,
        "$defs": {**definitions, **sections, **families},
    }
    resolved: JsonSchemaValue = _resolved(schema)
    used = json.dumps(resolved)
    named = {key: d for key, d in resolved["$defs"].items() if f'"{_pointer(key)}"' in used}
    return {**resolved, "$defs": named}


def sweep_schema(registry: Registry) -> JsonSchemaValue:
    """The JSON Schema of a sweep: a configuration's, with ``[sweep]`` and search spaces as values.

    What a space's own values must be is left to the sweep, which tries its ends.
    """
    schema = configuration_schema(registry)
    definitions = {key: _searchable(value) for key, value in schema["$defs"].items()}
    kinds: dict[str, type[BaseModel]] = {
        "sweep": SweepConfig,
        "space.numbers": Numbers,
        "space.choices": Choices,
    }
    own = {key: section_schema(kind) for key, kind in kinds.items()}
    spaces = [{"$ref": _pointer(key)} for key in own if key != "sweep"]
    root = _searchable(schema, FIXED)
    return {
        **root,
        "title": "A sweep of pathnet-evo",
        "properties": {
            **root["properties"],
            "sweep": {"$ref": _pointer("sweep")},
        },
        "$defs": {**definitions, **own, SPACE: {"oneOf": spaces}},
    }


def _searchable(schema: Any, fixed: Container[str] = ()) -> Any:
    """The same with a search space as another value of every key and entry, except fixed ones."""
    if isinstance(schema, list):
        return [_searchable(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {k: v if k in PLAIN else _searchable(v) for k, v in schema.items() if k != "$defs"}
    if "properties" in found:
        found["properties"] = {
            key: schema["properties"][key] if key in fixed else _or_space(value)
            for key, value in schema["properties"].items()
        }
    if isinstance(found.get("items"), dict):
        found["items"] = _or_space(schema["items"])
    return found


def _or_space(value: dict[str, Any]) -> dict[str, Any]:
    if "const" in value:
        return value
    about: dict[str, Any] = {key: value[key] for key in ("description", "default") if key in value}
    return {**about, "anyOf": [_searchable(value), {"$ref": _pointer(SPACE)}]}


class _Described(GenerateJsonSchema):
    """Fields carry their docstrings; nothing allows null, which TOML does not have."""

    def model_schema(self, schema: Any) -> JsonSchemaValue:
        found, kind = super().model_schema(schema), schema["cls"]
        found.pop("title", None)
        if about := summary(kind):
            found["description"] = about
        for field, text in meanings(kind).items():
            if field in found.get("properties", {}):
                found["properties"][field].setdefault("description", text)
        return found

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def nullable_schema(self, schema: Any) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        found = super().default_schema(schema)
        default = found.get("default", ...)
        if default is None:
            del found["default"]
        elif isinstance(default, dict):
            found["default"] = {key: v for key, v in default.items() if v is not None}
        return found


def _models(registry: Registry) -> Iterator[tuple[tuple[str, str], type[BaseModel]]]:
    for family in BASES:
        for name in registry.names(family) if family != "operators" else ():
            try:
                model = model_of(registry, family, name)
                section_schema(model)
            except (PluginError, PluginFailed):
                continue
            yield (family, name), model


def _named(definition: dict[str, Any], family: str, name: str) -> dict[str, Any]:
    """A plugin's section with the key that names the plugin."""
    key = "kind" if family == "modules" else "name"
    own: dict[str, Any] = {key: {"const": name}}
    if family == "modules":
        own["repeat"] = REPEAT
    return {
        **definition,
        "properties": {**own, **definition.get("properties", {})},
        "required": [key, *definition.get("required", [])],
    }


def _choice(family: str, sections: list[str]) -> dict[str, Any]:
    """A section of a family: a table, or just the plugin's name."""
    of_family = [section for section in sections if section.startswith(f"{family}.")]
    names = [section.removeprefix(f"{family}.") for section in of_family]
    alone = [] if family == "modules" else [{"enum": names}]
    return {"oneOf": [*alone, *({"$ref": _pointer(section)} for section in of_family)]}


def _pointer(definition: str) -> str:
    return "#/$defs/" + quote(definition.replace("~", "~0").replace("/", "~1"))


def _resolved(schema: Any) -> Any:
    """The same with each mark of a family (``Of``) as a reference to the family's definition.

    Without defaults that JSON cannot express, such as ``inf``.
    """
    if isinstance(schema, dict):
        rest = {
            k: v if k == "default" else _resolved(v)
            for k, v in schema.items()
            if k != FAMILY and (k != "default" or plain_numbers(v) == v)
        }
        return {"$ref": _pointer(schema[FAMILY]), **rest} if FAMILY in schema else rest
    return [_resolved(part) for part in schema] if isinstance(schema, list) else schema
