"""A table of what transfers between games, from the lines of ``game_pairs.py``.

    python game_pairs_table.py RESULTS

A cell is the area between an arm's learning curve and random actions, divided by the same of
``independent`` on the same game with the same seed: the mean over sources and seeds. Below it, for
each arm, the median over all pairs, with a 95 % interval over seeds from three on. Games on which
``independent`` learns next to nothing have no ratio (``--least``); of them there are the areas.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from pathnet_evo.analysis.statistics import mean_interval

Line = dict[str, Any]
CONTROL = "independent"
FEWEST = 3
"""Seeds of an interval; that of two says nothing."""


def name_of(line: Line) -> str:
    """An arm, with its settings."""
    return " ".join([line["arm"], *line["options"]])


def table(lines: Iterable[Line], least: float) -> Iterator[str]:
    """A row for each target, and one for the medians.

    Args:
        lines: of one number of frames.
        least: area of ``independent``, relative to the score of random actions, from which on
            there are ratios.
    """
    found = [*lines]
    control = {(x["target"], x["seed"]): x for x in found if x["arm"] == CONTROL}
    others = [x for x in found if x["arm"] != CONTROL and (x["target"], x["seed"]) in control]
    arms = [*dict.fromkeys(map(name_of, others))]
    games = [*dict.fromkeys(x["target"] for x in found)]
    yield "| target | seeds | random actions | independent | " + " | ".join(arms) + " |"
    yield "| --- " * (4 + len(arms)) + "|"
    ratios: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for game in games:
        own = [x for (target, _), x in control.items() if target == game]
        chance = sum(x["chance"] for x in own) / len(own)
        area = sum(x["area"] for x in own) / len(own)
        cells = []
        for arm in arms:
            of = [x for x in others if x["target"] == game and name_of(x) == arm]
            if area < least * max(chance, 1e-9):
                known = [x["area"] for x in of]
                cells.append(f"area {sum(known) / len(known):.2f}" if known else "")
                continue
            each = [x["area"] / control[game, x["seed"]]["area"] for x in of]
            for x, ratio in zip(of, each, strict=True):
                ratios[arm][x["seed"]].append(ratio)
            cells.append(f"{sum(each) / len(each):.2f}" if each else "")
        yield (
            f"| {game} | {len(own)} | {chance:.2f} | area {area:.2f} | " + " | ".join(cells) + " |"
        )
    medians = []
    for arm in arms:
        by_seed = [median(of) for of in ratios[arm].values()]
        mean, interval = mean_interval(by_seed) if by_seed else (None, None)
        shown = "" if mean is None else f"{mean:.2f}"
        if interval is not None and len(by_seed) >= FEWEST:
            shown += f" ({interval[0]:.2f} to {interval[1]:.2f})"
        medians.append(shown)
    yield "| median over pairs | | | | " + " | ".join(medians) + " |"


def main() -> None:
    """Print a table for each number of frames."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--least", type=float, default=0.2)
    arguments = parser.parse_args()
    lines = [json.loads(line) for line in arguments.results.read_text().splitlines()]
    for frames in dict.fromkeys(line["frames"] for line in lines):
        print(f"\n{frames:,} frames a stage:\n")
        print("\n".join(table((x for x in lines if x["frames"] == frames), arguments.least)))


if __name__ == "__main__":
    main()
