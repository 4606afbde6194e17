"""How the outputs of a layer's active modules become the layer's output."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor


class Aggregate(ABC):
    """A symmetric function of the modules' outputs that is linear in them.

    Its gradient by each of n outputs is ``share(n)``: hand-written backward passes need no more.

    Attributes:
        name: what ``pool.aggregate`` calls it.
    """

    name: ClassVar[str]

    @abstractmethod
    def share(self, n: int) -> float:
        """What each of n modules' outputs counts."""

    def __call__(self, outputs: Tensor) -> Tensor:
        """``(batch, n, *shape)`` to ``(batch, *shape)``."""
        return self.scaled(outputs.sum(1), outputs.shape[1])

    def scaled(self, total: Tensor, n: int) -> Tensor:
        """The layer's output, given the sum of n modules' outputs."""
        share = self.share(n)
        return total if share == 1 else total * share

    def __repr__(self) -> str:
        return self.name


class Sum(Aggregate):
    """The sum, as in the paper (section 2.1)."""

    name = "sum"

    def share(self, n: int) -> float:
        """1."""
        return 1.0


class Mean(Aggregate):
    """The mean: as large whatever the number of active modules."""

    name = "mean"

    def share(self, n: int) -> float:
        """1 / n."""
        return 1 / n


AGGREGATES: dict[str, Aggregate] = {a.name: a for a in (Sum(), Mean())}
"""By name."""
SUM = AGGREGATES["sum"]
