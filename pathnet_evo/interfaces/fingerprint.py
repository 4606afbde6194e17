"""Fingerprints of tasks, so that a run never continues on other data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib import metadata
from typing import Any, TypeAlias

import torch
from torch import Tensor

from pathnet_evo.interfaces.tasks import EnvironmentTask, SupervisedTask, Task
from pathnet_evo.values.names import on_one_line
from pathnet_evo.values.numbers import simple

Facts: TypeAlias = Mapping[str, Any]
"""Plain data by name."""

HASHED = "sha256:"
"""Prefix of a fact that stands for a tensor's content."""
MOST_NAMES = 100
"""Maximum number of class or action names to store; more are hashed."""
MOST_TOLD = 3
"""Maximum number of differences to report."""
DECIDING = ("type", "input shape", "input type", "classes", "observation shape", "actions")
"""Facts on which the shapes of the weights depend."""


@dataclass(frozen=True)
class Fingerprint:
    """A short description of a task's data, equal for equal data.

    Args:
        digest: SHA-256 of the facts, in hexadecimal.
        facts: what can be said of it: counts, shapes, types, names, versions, and hashes of
            tensors.
    """

    digest: str
    facts: Facts

    @classmethod
    def of(cls, task: Task) -> Fingerprint:
        """The fingerprint of a task; reads all of its tensors once."""
        return cls.from_facts(dict(_facts(task)))

    @classmethod
    def from_facts(cls, facts: Facts) -> Fingerprint:
        """The fingerprint of these facts."""
        plain = json.loads(json.dumps(facts, default=simple))
        text = json.dumps(plain, sort_keys=True)
        return cls(hashlib.sha256(text.encode()).hexdigest(), plain)

    @classmethod
    def parse(cls, text: str) -> Fingerprint:
        """The fingerprint with this ``str``.

        Raises:
            ValueError: it is none.
        """
        facts = json.loads(text)
        if not isinstance(facts, dict):
            raise ValueError("not a fingerprint")
        return cls.from_facts(facts)

    def __str__(self) -> str:
        return json.dumps(self.facts, separators=(",", ":"))

    def fits(self, before: Fingerprint) -> bool:
        """Whether weights learned on ``before`` fit this task."""
        return all(self.facts.get(name) == before.facts.get(name) for name in DECIDING)

    def difference(self, before: Fingerprint) -> str:
        """How this differs from a run's original data, in one line."""
        names = [*self.facts, *(name for name in before.facts if name not in self.facts)]
        pairs = [(name, self.facts.get(name), before.facts.get(name)) for name in names]
        found = [pair for pair in pairs if pair[1] != pair[2]]
        told = [pair for pair in found if not _hashed(*pair[1:])]
        said = [_told(*pair) for pair in told[:MOST_TOLD]]
        if len(told) > MOST_TOLD:
            said.append(f"and {len(told) - MOST_TOLD} more")
        if not told:
            others = ", ".join(_shown(name) for name, *_ in found[:MOST_TOLD])
            said = [f"other {others} than the run began with"]
        return f"{_shown(self.facts.get('task'))}: {'; '.join(said)}"


def package(module: str) -> dict[str, str]:
    """A fact: the name and version of a module's distribution, if it has one.

    The project's own is left out: a run continues under its next version.
    """
    name, number = _distribution(module.partition(".")[0])
    return {name: number} if name not in ("", "pathnet-evo") else {}


def content(data: bytes) -> str:
    """A fact: the hash of bytes, such as a file's."""
    return HASHED + hashlib.sha256(data).hexdigest()[:32]


@cache
def _distribution(top: str) -> tuple[str, str]:
    try:
        return top, metadata.version(top)
    except metadata.PackageNotFoundError:
        names = metadata.packages_distributions().get(top, [])
    return (names[0], metadata.version(names[0])) if names else ("", "")


# What is known of a task ------------------------------------------------------------------


def _facts(task: Task) -> Iterator[tuple[str, Any]]:
    yield "task", task.name
    yield "type", type(task).__name__
    if isinstance(task, SupervisedTask):
        yield from _of_examples(task)
    else:
        yield from _of_environment(task)
    known = {field.name for kind in (SupervisedTask, EnvironmentTask) for field in fields(kind)}
    for name, value in vars(task).items():
        if isinstance(value, Tensor):
            yield TENSORS.get(name, name), _hash(value)
        elif name not in known and isinstance(value, str | int | float):
            yield name, value
    yield from task.facts.items()


TENSORS = {
    "inputs": "training inputs",
    "labels": "training labels",
    "test_inputs": "test inputs",
    "test_labels": "test labels",
}
"""Names of a task's tensors in messages."""


def _of_examples(task: SupervisedTask) -> Iterator[tuple[str, Any]]:
    yield "training examples", len(task.inputs)
    yield "test examples", len(task.test_inputs)
    yield "input shape", list(task.input_shape)
    yield "input type", str(task.inputs.dtype).removeprefix("torch.")
    yield "classes", task.n_classes
    yield "class names", _names(task.class_names)


def _of_environment(task: EnvironmentTask) -> Iterator[tuple[str, Any]]:
    yield "observation shape", list(task.observation_shape)
    yield "actions", task.n_actions
    yield "action names", _names(task.actions)
    yield "frames a step", task.frame_skip
    yield "steps an episode", task.max_episode_steps
    yield from package(type(task).__module__).items()


def _names(names: tuple[str, ...]) -> Any:
    if len(names) <= MOST_NAMES:
        return list(names)
    return content(json.dumps(names).encode())


def _hash(values: Tensor) -> str:
    """Type, shape and content of a tensor."""
    plain = values.detach().cpu().contiguous()
    hashed = hashlib.sha256(f"{plain.dtype} {tuple(plain.shape)}".encode())
    hashed.update(plain.flatten().view(torch.uint8).numpy().data)
    return HASHED + hashed.hexdigest()[:32]


# What is said of differences --------------------------------------------------------------


def _told(name: str, now: Any, before: Any) -> str:
    began = "the run began with"
    if isinstance(now, list) and isinstance(before, list) and name.endswith("names"):
        changes = [f"{_shown(n)} is new" for n in now if n not in before]
        changes += [f"{_shown(n)} is gone" for n in before if n not in now]
        return f"{name}: {', '.join(changes[:MOST_TOLD]) or 'in another order'}"
    if type(now) is int and type(before) is int:
        return f"{now:,} {_shown(name)}, {began} {before:,}"
    return f"{_shown(name)} {_shown(now)}, {began} {_shown(before)}"


def _hashed(*values: Any) -> bool:
    return any(isinstance(value, str) and value.startswith(HASHED) for value in values)


def _shown(value: Any) -> str:
    """A fact for a message: short, on one line, without control characters."""
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value)
    text = on_one_line(text)
    return text if len(text) <= 80 else f"{text[:77]}..."
