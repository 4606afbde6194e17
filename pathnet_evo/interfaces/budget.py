"""A stage's budget, and how much of it is used."""

from __future__ import annotations

from dataclasses import dataclass

FEW_EXAMPLES = 10.0
"""Examples are few if a stage's budget visits each at least this many times, many otherwise."""


@dataclass
class Budget:
    """The budget of a stage, either in evaluations or in examples or frames.

    Args:
        evaluations: number of evaluations, or None.
        frames: number of examples or frames, or None.
        used: how many of either are used, without evaluations in flight; in a worker process, when
            the last candidates came.
        visits: how often the whole budget visits each training example; None where there are none.
    """

    evaluations: int | None = None
    frames: int | None = None
    used: int = 0
    visits: float | None = None

    @property
    def total(self) -> int:
        """The whole budget, or 0 without one."""
        return self.frames or self.evaluations or 0

    def share(self, used: int | None = None) -> float:
        """The used share of the budget, 0 to 1; 0 without a budget."""
        used = self.used if used is None else used
        return min(used / self.total, 1.0) if self.total else 0.0

    def of_evaluation(self, examples: int) -> float:
        """The share that one evaluation of a number of examples or frames uses."""
        if not self.total:
            return 0.0
        return examples / self.frames if self.frames else 1 / self.total
