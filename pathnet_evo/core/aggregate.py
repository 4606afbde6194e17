"""How to combine the outputs of a layer's active modules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor


class Aggregate(ABC):
    """A symmetric, linear function of the modules' outputs.

    Its gradient with respect to each of n outputs is ``share(n)``, which is all that hand-written
    backward passes need.

    Attributes:
        name: its name in ``pool.aggregate``.
    """

    name: ClassVar[str]

    @abstractmethod
    def share(self, n: int) -> float:
        """The weight of each of n outputs."""

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
    """The mean, whose size does not depend on the number of active modules."""

    name = "mean"

    def share(self, n: int) -> float:
        """1 / n."""
        return 1 / n


AGGREGATES: dict[str, Aggregate] = {a.name: a for a in (Sum(), Mean())}
"""By name."""
SUM = AGGREGATES["sum"]
