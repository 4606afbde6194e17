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

SHOULD = "Input should be "
KIND = r"bool|int|float|str|none|(literal|tuple|list|dict)\[.*"
"""The last part of an error's place where a value may be of several kinds."""


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
    found: list[Problem] = []
    for alike in _by_value(error.errors(include_url=False)):
        if len(alike) == 1:
            (details,) = alike
            found.append(Problem(_place(place, details["loc"]), _sentence(details, model, own)))
        else:
            found.append(Problem(_place(place, alike[0]["loc"][:-1]), _no_kind(alike)))
    return found


def _by_value(errors: Sequence[Any]) -> list[list[Any]]:
    """Errors, those of one value together that may be of several kinds and is of none."""
    groups: dict[tuple[Any, ...], list[Any]] = {}
    for i, details in enumerate(errors):
        *above, last = details["loc"] or ("",)
        of_kind = details["msg"].startswith(SHOULD) and re.fullmatch(KIND, str(last))
        key = (*above, "of no kind") if of_kind else (i,)
        groups.setdefault(key, []).append(details)
    return list(groups.values())


def _no_kind(alike: Sequence[Any]) -> str:
    """What a value should be that is of none of the kinds that it may have."""
    wanted = [str(each["msg"]).removeprefix(SHOULD).partition(",")[0] for each in alike]
    *most, last = dict.fromkeys(_plain(each) for each in wanted)
    kinds = f"{', '.join(most)} or {last}" if most else last
    return f"input should be {kinds}, got {_shown(alike[0].get('input'))}"


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
    text = _plain(text.removeprefix("Value error, "))
    if kind == "value_error" and isinstance(got, dict):  # of a whole section
        return text
    return f"{text[:1].lower()}{text[1:]}, got {_shown(got)}"


def _plain(text: str) -> str:
    return text.replace("a valid tuple", "a valid list")


def _shown(got: Any) -> str:
    shown = repr(got)
    return shown if len(shown) < 80 else shown[:77] + "..."


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
