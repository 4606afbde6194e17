"""The sections of a configuration that belong to plugins, as types of the framework's fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator


def as_table(value: Any) -> Any:
    """A plugin's section given by its name alone, as a table."""
    return {"name": value} if isinstance(value, str) else value


FAMILY = "pathnet-evo-family"
"""Key by which ``Of`` marks a section in a JSON Schema."""


@dataclass(frozen=True)
class Of:
    """Marks a section as that of a plugin; ``setup/json_schema.py`` fills in which there are."""

    family: str

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        """The mark alone."""
        return {FAMILY: self.family}


_Section = Annotated[dict[str, Any], BeforeValidator(as_table)]
"""A plugin's section: a table with its ``name`` and the plugin's own keys, or the name alone."""
TaskSection = Annotated[_Section, Of("tasks")]
LearnerSection = Annotated[_Section, Of("learners")]
StrategySection = Annotated[_Section, Of("strategies")]
PolicySection = Annotated[_Section, Of("policies")]
EngineSection = Annotated[_Section, Of("engines")]
ExecutorSection = Annotated[_Section, Of("executors")]
ObserverSection = Annotated[_Section, Of("observers")]
LayerSection = Annotated[dict[str, Any], Of("modules")]
"""A layer: a table with the ``kind`` of its modules, and ``repeat``."""
