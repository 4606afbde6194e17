"""A stage's budget, and how much of it is used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Budget:
    """What a stage may use, in evaluations or in examples or frames; one of the two is given.

    Args:
        evaluations: number of evaluations, or None.
        frames: number of examples or frames, or None.
        used: how many of either are used; in a worker process, when the last candidates came.
        visits: how often the whole budget visits each training example; None where there are none.
    """

    evaluations: int | None = None
    frames: int | None = None
    used: int = 0
    visits: float | None = None

    @property
    def total(self) -> int:
        """The whole budget; 0 where there is none."""
        return self.frames or self.evaluations or 0

    def share(self, used: int | None = None) -> float:
        """Which share of the budget is used, 0 to 1; 0 where there is no budget."""
        used = self.used if used is None else used
        return min(used / self.total, 1.0) if self.total else 0.0

    def of_evaluation(self, examples: int) -> float:
        """The share that one evaluation of so many examples or frames takes."""
        if not self.total:
            return 0.0
        return examples / self.frames if self.frames else 1 / self.total
