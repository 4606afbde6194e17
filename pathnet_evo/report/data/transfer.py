"""The transfer matrix: what was learned before by what was learned then."""

from __future__ import annotations

from typing import NamedTuple

from pathnet_evo.interfaces.summary import SpeedUp
from pathnet_evo.report.data.contents import ReportData

MOST = 3
"""A table of more tasks than this would repeat the table of speed-ups, on a long diagonal."""


class Matrix(NamedTuple):
    """Speed-ups by row and column; None where there is none."""

    rows: list[str]
    columns: list[str]
    cells: list[list[SpeedUp | None]]


def transfer_matrix(data: ReportData) -> Matrix | None:
    """Speed-ups of the shown arm; None where it has none after a first stage, or too many."""
    stages = data.stages
    speeds = {
        s["stage"]: s
        for s in data.summary["speed_up"].get(data.shown, [])
        if s["mean"] is not None or "difference" in s
    }
    targets = [i for i in range(1, len(stages)) if i in speeds]
    if not 0 < len(targets) <= MOST:
        return None
    rows = [", ".join(s["name"] for s in stages[:i]) for i in targets]
    columns = [stages[i]["name"] for i in targets]
    return Matrix(
        rows, columns, [[speeds[i] if i == j else None for j in targets] for i in targets]
    )
