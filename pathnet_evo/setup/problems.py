"""What is wrong with a configuration: places, and sentences with the way out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from pathnet_evo.errors import UserError
from pathnet_evo.setup.upgrades import renamed
from pathnet_evo.values.suggestions import nearest


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a configuration, and where: a dotted place and a sentence."""

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text


class ConfigError(UserError):
    """All errors in a configuration."""

    def __init__(self, problems: Sequence[Problem], source: str = "") -> None:
        self.problems = list(problems)
        self.source = source
        super().__init__("\n".join(f"{source}: {p}" if source else str(p) for p in problems))

    def __reduce__(self) -> tuple[type[ConfigError], tuple[list[Problem], str]]:
        """Between processes, as the problems themselves."""
        return type(self), (self.problems, self.source)


def problems(
    error: ValidationError, model: type[BaseModel], place: str = "", own: Sequence[str] = ()
) -> list[Problem]:
    """A validation error of a plugin's or the framework's model, as problems with their places.

    Args:
        error: the error.
        model: what was validated.
        place: of the section.
        own: keys of the section that are the framework's, and not among the model's.
    """
    return [
        Problem(_place(place, details["loc"]), _sentence(details, model, own))
        for details in error.errors(include_url=False)
    ]


def _place(place: str, loc: tuple[int | str, ...]) -> str:
    kept = [str(part) for part in loc if not re.search(r"[\[\]()]|^(function|lax)", str(part))]
    return ".".join([place, *kept] if place else kept)


def _sentence(details: Any, model: type[BaseModel], own: Sequence[str]) -> str:
    kind, text, got = details["type"], str(details["msg"]), details.get("input")
    if kind == "extra_forbidden":
        *above, last = details["loc"]
        keys, key = [*_keys(model, above), *(() if above else own)], str(last)
        now = renamed(key, keys)
        guess = nearest(key, keys) if now is None else f'. Did you mean "{now}"?'
        return f"unknown key{guess}" if guess else f"unknown key (have: {', '.join(sorted(keys))})"
    if kind == "missing":
        return "missing"
    text = text.removeprefix("Value error, ").replace("a valid tuple", "a valid list")
    if kind == "value_error" and isinstance(got, dict):  # of a whole section
        return text
    shown = repr(got)
    return f"{text[:1].lower()}{text[1:]}, got {shown if len(shown) < 80 else shown[:77] + '...'}"


def _keys(model: type[BaseModel], loc: Sequence[int | str]) -> list[str]:
    """The keys that the table at ``loc`` may have."""
    for part in loc:
        if isinstance(part, int) or part not in model.model_fields:
            continue
        below = _model_in(model.model_fields[part].annotation)
        if below is None:
            return []
        model = below
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        found = _model_in(part)
        if found is not None:
            return found
    return None
