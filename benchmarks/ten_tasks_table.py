"""A table in Markdown of runs of many tasks: how full the pool is, and what was learned and kept.

python benchmarks/ten_tasks_table.py runs/digits-ten runs/mnist-ten ...
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pathnet_evo.running.loading import load_run


def rows(folder: Path) -> Iterator[str]:
    """A row an arm."""
    summary = load_run(folder).summary
    for arm, result in summary["arms"].items():
        stages = result["stages"]
        last = stages[-1]
        score = summary["stages"][0]["score"]
        first_half, second_half = stages[: len(stages) // 2], stages[len(stages) // 2 :]
        learned = [
            mean_of([s["scores"][score] for s in half]) for half in (first_half, second_half)
        ]
        lost = [s["forgetting"].get(score) for s in stages[:-1]]
        cells = [
            folder.name,
            arm,
            *(f"{100 * value:.1f} %" for value in learned),
            forgotten([f for f in lost if f and f["n"]]),
            f"{last['frozen']['mean']:.0f} of {last['modules']['mean']:.0f}",
            str(last["scores"][score]["n"]),
        ]
        yield f"| {' | '.join(cells)} |"


def mean_of(statistics: list[dict[str, Any]]) -> float:
    """The mean of means."""
    return sum(s["mean"] for s in statistics) / len(statistics)


def forgotten(lost: list[dict[str, Any]]) -> str:
    """Mean over tasks; ``0, exactly`` where no score of any seed changed at all."""
    if not lost:
        return ""
    if all(value == 0 for found in lost for value in found["seeds"].values()):
        return "0, exactly"
    return f"{100 * mean_of(lost):.1f} points"


def main() -> None:
    """Print the table."""
    print("| run | arm | tasks 1 to 5 | tasks 6 to 10 | forgotten | modules frozen | seeds |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in sys.argv[1:]:
        print("\n".join(rows(Path(name))))


if __name__ == "__main__":
    main()
