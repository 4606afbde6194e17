"""What a task's network takes and gives, kept with its weights so that it can be used alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pathnet_evo.interfaces.tasks import SupervisedTask, Task
from pathnet_evo.values.names import on_one_line

INPUT_TYPES = ("uint8", "float32")


class Signature(BaseModel):
    """The inputs and outputs of a task's network, as plain data."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    outputs: Literal["classes", "actions"]
    """What the first outputs are logits of."""
    count: int = Field(ge=1)
    """Number of classes or actions."""
    names: tuple[str, ...] = Field((), strict=False)
    """A name per class or action, or empty."""
    input_type: Literal["uint8", "float32"] | None = None
    """Type of the task's inputs; None if both occur, as in environments."""
    reading: dict[str, Any] = Field(default_factory=dict)
    """What the task needs to read another input; see ``TaskSettings.read_input``."""

    continuous: bool = False
    """Whether an action is a vector of ``count`` numbers, so that outputs are no logits."""

    @model_validator(mode="after")
    def _one_name_each(self) -> Signature:
        if self.names and len(self.names) != self.count:
            raise ValueError(f"{len(self.names)} names for {self.count} {self.outputs}")
        return self

    @classmethod
    def of(cls, task: Task) -> Signature:
        """The signature of a task."""
        if isinstance(task, SupervisedTask):
            return cls(
                outputs="classes",
                count=task.n_classes,
                names=_names(task.class_names),
                input_type=_input_type(str(task.inputs.dtype).removeprefix("torch.")),
                reading=dict(task.reading),
            )
        return cls(
            outputs="actions",
            count=task.n_actions,
            names=_names(task.actions),
            continuous=task.continuous,
        )

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> Signature:
        """The signature that a fingerprint tells of, for checkpoints that do not have it.

        Raises:
            KeyError, TypeError, ValueError: it does not.
        """
        kind: Literal["classes", "actions"] = "classes" if "classes" in facts else "actions"
        names = facts["class names" if kind == "classes" else "action names"]
        return cls(
            outputs=kind,
            count=facts[kind],
            names=_names(names) if isinstance(names, list) else (),
            input_type=_input_type(facts.get("input type")),
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """A name per class or action; its number where it has none."""
        return self.names or tuple(map(str, range(self.count)))


def _names(names: Iterable[Any]) -> tuple[str, ...]:
    return tuple(on_one_line(str(name)) for name in names)


def _input_type(name: Any) -> Any:
    return name if name in INPUT_TYPES else None
