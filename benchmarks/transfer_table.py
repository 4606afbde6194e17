"""Tables of what transfers, from the lines of ``transfer.py``: ``transfer_table.py RESULTS``.

Accuracies of the second task, and PathNet against each control, paired by seed: 95 % intervals.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pathnet_evo.analysis.statistics import mean_interval

Cells = dict[tuple[str, str, str], dict[str, dict[int, dict[str, Any]]]]
"""By network, pair and number of examples: by arm, by seed, the line."""
CONTROLS = ("independent", "fine-tuning", "random-columns")


def read(file: Path) -> Cells:
    """The lines of a file that were scored on test examples."""
    cells: Cells = defaultdict(lambda: defaultdict(dict))
    for line in map(json.loads, file.read_text().splitlines()):
        if not line["choosing"] and line["rate"] is None and not line["options"]:
            place = line["network"], line["pair"], str(line["examples"] or "all")
            cells[place][line["arm"]][line["seed"]] = line
    return cells


def table(cells: Cells) -> Iterator[str]:
    """A row for each pair and number of examples."""
    yield (
        "| network, pair | examples | seeds | pathnet | "
        + " | ".join(f"over {control}" for control in CONTROLS)
        + " | first task forgotten |"
    )
    yield "| --- " * (5 + len(CONTROLS)) + "|"
    for (network, pair, examples), arms in cells.items():
        ours = arms.get("pathnet", {})
        mean, _ = mean_interval([line["score"] for line in ours.values()])
        if mean is None:
            continue
        differences = [_difference(ours, arms.get(control, {})) for control in CONTROLS]
        lost = max((line["first"] - line["first_after"] for line in ours.values()), default=0)
        yield (
            f"| {network}, {pair} | {examples} | {len(ours)} | {100 * mean:.1f} % | "
            + " | ".join(differences)
            + f" | {100 * lost:g} points |"
        )


def _difference(ours: dict[int, dict[str, Any]], theirs: dict[int, dict[str, Any]]) -> str:
    """The mean difference over the seeds that both have, in points, with its interval."""
    both = sorted(ours.keys() & theirs.keys())
    mean, interval = mean_interval([ours[s]["score"] - theirs[s]["score"] for s in both])
    if mean is None:
        return ""
    if interval is None:
        return f"{100 * mean:+.1f}"
    return f"{100 * mean:+.1f} ({100 * interval[0]:+.1f} to {100 * interval[1]:+.1f})"


if __name__ == "__main__":
    print("\n".join(table(read(Path(sys.argv[1])))))
