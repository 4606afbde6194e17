"""Tables of what transfers, from the lines of ``transfer.py``: ``transfer_table.py RESULTS``.

Accuracies of the second task, and PathNet against each control, paired by seed, with 95 % intervals
from three seeds on.
Speed-up: examples until the accuracy on training examples that are kept aside reaches the one that
``independent`` ends with, those of ``independent`` over those of PathNet; geometric means. Where a
readout was fitted, which takes no example of the budget, those of the trained readout alone.
``--ways`` has the accuracies of all arms, ``--each`` what changes with one setting, ``--choosing``
takes the lines that were scored on training examples.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pathnet_evo.analysis.statistics import mean_interval

Cells = dict[tuple[str, str, str], dict[str, dict[int, dict[str, Any]]]]
"""By network, pair and number of examples: by arm, by seed, the line."""
CONTROLS = ("independent", "fine-tuning", "random-columns")
TRAINED = ("transfer.fitted_readout=false",)
"""The setting of lines without a fitted readout."""
FEWEST = 3
"""Seeds of an interval; that of two says nothing."""


def read(file: Path, choosing: bool = False, options: Sequence[str] = ()) -> Cells:
    """The lines of a file with some settings, scored on test examples or on training examples."""
    cells: Cells = defaultdict(lambda: defaultdict(dict))
    for line in map(json.loads, file.read_text().splitlines()):
        settings = tuple(line["options"])
        if line["choosing"] == choosing and line["rate"] is None and settings == tuple(options):
            place = line["network"], line["pair"], str(line["examples"] or "all")
            cells[place][line["arm"]][line["seed"]] = line
    return cells


def table(cells: Cells, trained: Cells) -> Iterator[str]:
    """A row for each pair and number of examples.

    Args:
        cells: the lines.
        trained: those without a fitted readout, where one was fitted.
    """
    yield (
        "| network, pair | examples | seeds | pathnet | "
        + " | ".join(f"over {control}" for control in CONTROLS)
        + " | speed-up | first task forgotten |"
    )
    yield "| --- " * (6 + len(CONTROLS)) + "|"
    for (network, pair, examples), arms in cells.items():
        ours = arms.get("pathnet", {})
        mean, _ = mean_interval([line["score"] for line in ours.values()])
        if mean is None:
            continue
        alone = {**ours, **trained.get((network, pair, examples), {}).get("pathnet", {})}
        differences = [_difference(ours, arms.get(control, {})) for control in CONTROLS]
        lost = max((line["first"] - line["first_after"] for line in ours.values()), default=0)
        yield (
            f"| {network}, {pair} | {examples} | {len(ours)} | {100 * mean:.1f} % | "
            + " | ".join(differences)
            + f" | {_speed_up(alone, arms.get('independent', {}))} | {100 * lost:g} points |"
        )


def ways(cells: Cells) -> Iterator[str]:
    """The accuracy of every arm by pair and number of examples, over the seeds that all have."""
    names = [*dict.fromkeys(arm for arms in cells.values() for arm in arms)]
    yield "| network, pair | examples | seeds | " + " | ".join(names) + " |"
    yield "| --- " * (3 + len(names)) + "|"
    for (network, pair, examples), arms in cells.items():
        seeds = set.intersection(*(set(lines) for lines in arms.values()))
        means = {
            arm: sum(lines[seed]["score"] for seed in seeds) / len(seeds)
            for arm, lines in arms.items()
            if seeds
        }
        shown = [f"{100 * means[name]:.1f}" if name in means else "" for name in names]
        yield f"| {network}, {pair} | {examples} | {len(seeds)} | " + " | ".join(shown) + " |"


def _difference(ours: dict[int, dict[str, Any]], theirs: dict[int, dict[str, Any]]) -> str:
    """The mean difference over the seeds that both have, in points, with its interval."""
    both = sorted(ours.keys() & theirs.keys())
    mean, interval = mean_interval([ours[s]["score"] - theirs[s]["score"] for s in both])
    if mean is None:
        return ""
    if interval is None or len(both) < FEWEST:
        return f"{100 * mean:+.1f}"
    return f"{100 * mean:+.1f} ({100 * interval[0]:+.1f} to {100 * interval[1]:+.1f})"


def each(file: Path, choosing: bool = False) -> Iterator[str]:
    """A row for each setting that an arm was run with besides its own, by pair."""
    found: dict[tuple[Any, ...], dict[int, dict[str, Any]]] = defaultdict(dict)
    for line in map(json.loads, file.read_text().splitlines()):
        if line["choosing"] == choosing and line["rate"] is None:
            examples = str(line["examples"] or "all")
            place = line["network"], line["pair"], examples, line["arm"], tuple(line["options"])
            found[place][line["seed"]] = line
    yield "| network, pair | examples | arm | setting | seeds | accuracy | difference |"
    yield "| --- " * 7 + "|"
    for (*place, options), lines in found.items():
        plain = found.get((*place, ()), {})
        mean, _ = mean_interval([line["score"] for line in lines.values()])
        change = _difference(lines, plain) if options else ""
        network, pair, examples, arm = place
        setting = " ".join(f"`{option}`" for option in options) or "as it is"
        yield (
            f"| {network}, {pair} | {examples} | {arm} | {setting} | {len(lines)} | "
            f"{100 * (mean or 0):.1f} % | {change} |"
        )


def _speed_up(ours: dict[int, dict[str, Any]], theirs: dict[int, dict[str, Any]]) -> str:
    """The geometric mean of speed-ups, with its interval; how many seeds never reached it."""
    logs, never = [], 0
    for seed in sorted(ours.keys() & theirs.keys()):
        target = theirs[seed]["curve"][-1][1]
        mine, other = _reached(ours[seed], target), _reached(theirs[seed], target)
        if mine is None or other is None:
            never += 1
        else:
            logs.append(math.log(other / mine))
    mean, interval = mean_interval(logs)
    if mean is None:
        return ""
    text = f"{math.exp(mean):.2f}"
    if interval is not None and len(logs) >= FEWEST:
        text += f" ({math.exp(interval[0]):.2f} to {math.exp(interval[1]):.2f})"
    return text + (f", {never} never" if never else "")


def _reached(line: dict[str, Any], target: float) -> float | None:
    """Evaluations until a curve reaches a target, between points along a line; None if never."""
    before: tuple[float, float] | None = None
    for evaluations, accuracy in line["curve"]:
        if accuracy >= target:
            if before is None or accuracy == before[1]:
                return float(evaluations)
            share = (target - before[1]) / (accuracy - before[1])
            return before[0] + share * (evaluations - before[0])
        before = evaluations, accuracy
    return None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--ways", action="store_true")
    parser.add_argument("--each", action="store_true")
    parser.add_argument("--choosing", action="store_true")
    given = parser.parse_args()
    lines = read(given.results, given.choosing)
    if given.each:
        rows = each(given.results, given.choosing)
    elif given.ways:
        rows = ways(lines)
    else:
        rows = table(lines, read(given.results, given.choosing, TRAINED))
    print("\n".join(rows))
