"""What a classifier answers: class names and probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from torch import Tensor

SHOWN = 5
"""Answers that ``repr`` shows."""


@dataclass(frozen=True)
class Prediction:
    """The answer for one input.

    Args:
        classes: the name of each class.
        probabilities: the probability of each class, in the same order.
    """

    classes: tuple[str, ...]
    probabilities: tuple[float, ...]

    @property
    def index(self) -> int:
        """The number of the most probable class, from 0."""
        return self.probabilities.index(max(self.probabilities))

    @property
    def label(self) -> str:
        """The name of the most probable class."""
        return self.classes[self.index]

    @property
    def probability(self) -> float:
        """The probability of the most probable class."""
        return max(self.probabilities)

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """The k most probable classes with their probabilities, most probable first."""
        pairs = zip(self.classes, self.probabilities, strict=True)
        return sorted(pairs, key=lambda pair: -pair[1])[:k]

    def __repr__(self) -> str:
        return f"Prediction({self.label!r}, {self.probability:.3f})"


@dataclass(frozen=True, eq=False, repr=False)
class Predictions(Sequence[Prediction]):
    """The answers for a batch, one per input.

    Args:
        classes: the name of each class.
        probabilities: ``(n, classes)`` float32.
    """

    classes: tuple[str, ...]
    probabilities: Tensor

    @property
    def indices(self) -> list[int]:
        """The number of each input's most probable class."""
        return [int(index) for index in self.probabilities.argmax(1)]

    @property
    def labels(self) -> list[str]:
        """The name of each input's most probable class."""
        return [self.classes[index] for index in self.indices]

    def __len__(self) -> int:
        return len(self.probabilities)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...

    @overload
    def __getitem__(self, index: slice) -> Predictions: ...

    def __getitem__(self, index: int | slice) -> Prediction | Predictions:
        if isinstance(index, slice):
            return Predictions(self.classes, self.probabilities[index])
        return Prediction(self.classes, tuple(self.probabilities[index].tolist()))

    def __iter__(self) -> Iterator[Prediction]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self[:SHOWN]))
        return f"[{shown}{', ...' if len(self) > SHOWN else ''}]"
