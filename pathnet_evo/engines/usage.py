"""How a stage's evaluations ran on workers: what decides whether more of them would pay."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class StageUsage:
    """Counts of one stage, in this session.

    Args:
        bytes_before: weights that had travelled before the stage.
        evaluations: how many came back.
        in_flight: candidates at the workers when each came back, itself included, added up.
        commits: how many were written to the pool.
        overlapped: those whose modules others had written to since the lease.
        waited: seconds for which workers had nothing to do, added up.
    """

    bytes_before: int = 0
    evaluations: int = 0
    in_flight: int = 0
    commits: int = 0
    overlapped: int = 0
    waited: float = 0.0

    def ended(self, in_flight: int) -> None:
        """An evaluation came back."""
        self.evaluations += 1
        self.in_flight += in_flight

    def committed(self, overlapped: bool) -> None:
        """A lease was written to the pool."""
        self.commits += 1
        self.overlapped += overlapped

    def figures(self, travelled: int) -> dict[str, float]:
        """By the names of the summary.

        Args:
            travelled: bytes of weights that have travelled in all stages.
        """
        return {
            "in_flight": self.in_flight / max(self.evaluations, 1),
            "overlap": self.overlapped / max(self.commits, 1),
            "bytes": travelled - self.bytes_before,
            "waiting": self.waited,
        }
