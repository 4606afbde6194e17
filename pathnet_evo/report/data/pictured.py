"""What a run keeps of its pictures: a few of each class, and which of them its network mistakes.

The file lies in the run's folder, so that a report needs neither the data nor the network.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pathnet_evo.store.places import PICTURES, read_plain
from pathnet_evo.system.replacing import replace

MOST_IN_A_TABLE = 20
"""Classes of which a page shows the whole confusion matrix."""
PAIRS = 20
"""Confused pairs that a page lists where there are more classes."""

ClassNumber = Annotated[int, Field(ge=0)]


class _Pictured(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Thumbnail(_Pictured):
    """A small picture of a class."""

    label: ClassNumber
    """The picture's class."""
    jpeg: str = Field(pattern=r"^[A-Za-z0-9+/]+={0,2}$")
    """A JPEG file in base64."""


class Mistake(Thumbnail):
    """A test picture that the network takes for another class."""

    predicted: ClassNumber
    """What the network takes it for."""
    confidence: float = Field(ge=0, le=1)
    """The network's probability of that class."""


class PicturedStage(_Pictured):
    """The pictures of a stage, and what its network makes of them."""

    stage: int = Field(ge=0)
    arm: str
    seed: int
    checkpoint: str
    """SHA-256 of the manifest of the network's checkpoint."""
    classes: tuple[str, ...]
    confusion: tuple[tuple[ClassNumber, ClassNumber, int], ...]
    """Class, predicted class, and how many test pictures; pairs that occur alone."""
    examples: tuple[Thumbnail, ...]
    mistakes: tuple[Mistake, ...]
    """The most confident ones, the most confident first."""

    @model_validator(mode="after")
    def _known_classes(self) -> PicturedStage:
        numbers = [n for pair in self.confusion for n in pair[:2]]
        numbers += [one.label for one in (*self.examples, *self.mistakes)]
        numbers += [one.predicted for one in self.mistakes]
        if max(numbers, default=0) >= max(len(self.classes), 1):
            raise ValueError("a class without a name")
        return self

    @property
    def tested(self) -> int:
        """How many test pictures there are."""
        return sum(count for *_, count in self.confusion)

    @property
    def right(self) -> int:
        """How many of them the network classifies right."""
        return sum(count for label, predicted, count in self.confusion if label == predicted)

    @property
    def table(self) -> list[list[int]] | None:
        """The confusion matrix: a row per class; None where it would be too large to read."""
        n = len(self.classes)
        if n > MOST_IN_A_TABLE:
            return None
        rows = [[0] * n for _ in range(n)]
        for label, predicted, count in self.confusion:
            rows[label][predicted] = count
        return rows

    @property
    def confused(self) -> list[tuple[str, str, int]]:
        """The pairs of classes that are confused most often, the most frequent first."""
        wrong = [(t, p, count) for t, p, count in self.confusion if t != p]
        most = sorted(wrong, key=lambda pair: -pair[2])[:PAIRS]
        return [(self.classes[t], self.classes[p], count) for t, p, count in most]

    def by_class(self) -> Iterator[tuple[str, list[Thumbnail]]]:
        """The example pictures of each class that has any."""
        for number, name in enumerate(self.classes):
            if own := [one for one in self.examples if one.label == number]:
                yield name, own


class _File(_Pictured):
    version: Literal[1]
    stages: tuple[PicturedStage, ...]


def read_pictured(run: Path) -> list[PicturedStage]:
    """What a run keeps of its pictures, stage by stage; nothing where the file is damaged."""
    try:
        return [*_File.model_validate_json(read_plain(run / PICTURES)).stages]
    except (OSError, UnicodeDecodeError, ValidationError, RecursionError):
        return []


def write_pictured(run: Path, stages: Sequence[PicturedStage]) -> None:
    """Keep it.

    Raises:
        OSError: it cannot be written.
    """
    content = _File(version=1, stages=tuple(stages)).model_dump(mode="json")
    replace(run / PICTURES, json.dumps(content, separators=(",", ":")) + "\n")
