"""Which classes a task has: all, some by name or number, a part of them, or drawn by seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, model_validator

from pathnet_evo import did_you_mean
from pathnet_evo_images.source import Place, composed

SHOWN = 20
"""Classes listed in an error."""


class Draw(BaseModel):
    """Classes drawn by the trial's seed: no two stages on the same data get the same class."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    draw: int = Field(ge=2, strict=True)
    """Number of classes."""


class Part(BaseModel):
    """One of several equal parts of all classes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    part: int = Field(ge=0, strict=True)
    """Number of the part, from 0."""
    of: int = Field(ge=1, strict=True)
    """Number of parts. Where they cannot be equal, the first ones have a class more."""
    shuffle: bool = False
    """Divide the classes in a random order, drawn by the trial's seed and equal at all stages."""

    @model_validator(mode="after")
    def _exists(self) -> Part:
        if self.part >= self.of:
            raise ValueError(f"part {self.part} of {self.of}: parts are numbered from 0")
        return self


Classes: TypeAlias = tuple[StrictInt | StrictStr, ...] | Draw | Part | None


def choose(
    settings: Sequence[tuple[Place, Classes]],
    own: int,
    names: Sequence[str],
    rng: np.random.Generator,
    order: Sequence[int],
) -> list[int]:
    """The classes of one of the stages that read the same data.

    It depends on nothing but its arguments: named classes of all stages are taken first, then the
    drawn ones in the order of the stages, so every stage finds the same division.

    Args:
        settings: ``classes`` of all stages on these data, in order, each with its place.
        own: index into ``settings`` of the stage that asks.
        names: all classes of the data.
        rng: at the same point of the same stream at every stage.
        order: all indices into ``names`` in the random order of shuffled parts.

    Returns:
        Indices into ``names``, in the order that is asked for; drawn ones ascend.

    Raises:
        TaskError: a class that does not exist, not enough classes left to draw from, or more parts
            than pairs of classes.
    """

    def fixed(place: Place, classes: tuple[int | str, ...] | Part | None) -> list[int]:
        if isinstance(classes, Part):
            return _part(classes, order, place)
        return find(classes, names, place)

    place, classes = settings[own]
    if not isinstance(classes, Draw):
        return fixed(place, classes)
    taken = {index for at, c in settings if not isinstance(c, Draw) for index in fixed(at, c)}
    free = [int(index) for index in rng.permutation(len(names)) if index not in taken]
    for number, (at, asked) in enumerate(settings):
        if not isinstance(asked, Draw):
            continue
        if asked.draw > len(free):
            raise at.error(
                f"stages.{at.stage}.task.classes: cannot draw {asked.draw} classes, because "
                f"other stages leave only {len(free)} of {len(names)}. Draw fewer, or use fewer "
                "stages on these data."
            )
        drawn, free = free[: asked.draw], free[asked.draw :]
        if number == own:
            return sorted(drawn)
    raise AssertionError("the own stage is one of those that draw")


def _part(part: Part, order: Sequence[int], place: Place) -> list[int]:
    """The classes of a part; it has two at least, unless there is only one class at all."""
    n = len(order)
    if part.of > max(n // 2, 1):
        raise place.error(
            f"{part.of} parts of {n} classes have fewer than two classes each. "
            f"Use at most {max(n // 2, 1)} parts."
        )
    parts = np.array_split(np.asarray(order if part.shuffle else range(n)), part.of)
    return [int(index) for index in parts[part.part]]


def find(classes: tuple[int | str, ...] | None, names: Sequence[str], place: Place) -> list[int]:
    """Indices of classes given by name or number; None stands for all.

    A number is the class of that name where there is one (``3`` of ``"3"``), else a position.

    Raises:
        TaskError: a class that does not exist or is named twice.
    """
    if classes is None:
        return list(range(len(names)))
    found: list[int] = []
    for asked in classes:
        name = composed(str(asked))
        if name in names:
            index = names.index(name)
        elif isinstance(asked, int) and 0 <= asked < len(names):
            index = asked
        else:
            raise place.error(f"stages.{place.stage}.task.classes: {unknown(asked, names)}")
        if index in found:
            raise place.error(
                f'stages.{place.stage}.task.classes: "{names[index]}" is named twice. '
                "Name each class once."
            )
        found.append(index)
    return found


def unknown(asked: int | str, names: Sequence[str]) -> str:
    """What to say about a class that does not exist."""
    said = str(asked) if isinstance(asked, int) else f'"{asked}"'
    hint = did_you_mean(str(asked), names)
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"no class {said}.{hint} (have: {', '.join(names[:SHOWN])}{more})"


def balanced(
    labels: npt.NDArray[np.int64], n: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Positions of n examples, as many of each class as of any other, as far as there are.

    Args:
        labels: ``(examples,)`` integers.
        n: how many; at most ``len(labels)``.
        rng: the only source of randomness.

    Returns:
        ``(n,)`` int64, ascending.
    """
    positions = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    quotas = [0] * len(positions)
    left = n
    while left:
        unmet = [c for c, own in enumerate(positions) if quotas[c] < len(own)]
        share = left // len(unmet)
        if share == 0:
            unmet, share = [int(c) for c in rng.permutation(unmet)[:left]], 1
        for c in unmet:
            more = min(share, len(positions[c]) - quotas[c])
            quotas[c] += more
            left -= more
    parts = [own[:quota] for own, quota in zip(positions, quotas, strict=True)]
    return np.sort(np.concatenate(parts))
