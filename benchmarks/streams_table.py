"""Tables of continual-learning streams: ACC and BWT of PathNet and of its rivals.

    python streams_table.py results/streams.jsonl --add split-mnist runs/split-mnist runs/more
    python streams_table.py results/streams.jsonl

``--add`` appends what runs measured, one line for each arm and finished seed, under the name of a
stream; a seed that is known already is replaced. The table has PathNet's lead over each arm, paired
by seed, with 95 % intervals from three seeds on. Parameters and multiply-adds are those of the last
task's network, the paths that it listens to included.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pathnet_evo.analysis.statistics import mean_interval
from pathnet_evo.running.loading import load_run

Line = dict[str, Any]
OURS = "pathnet"
FEWEST = 3
"""Seeds of an interval; that of two says nothing."""


def lines_of(stream: str, folder: Path) -> Iterator[Line]:
    """A line for each arm and each seed that finished all tasks."""
    summary = load_run(folder).summary
    for arm, result in summary["arms"].items():
        found = result.get("continual")
        if found is None:
            continue
        last = result["stages"][-1]
        for seed, acc in found["acc"]["seeds"].items():
            if acc is None:
                continue
            yield {
                "stream": stream,
                "arm": arm,
                "seed": int(seed),
                "acc": acc,
                "bwt": found["bwt"]["seeds"][seed],
                "matrix": found["matrices"][seed],
                "parameters": last["parameters"]["seeds"][seed],
                "multiply_adds": last["multiply_adds"]["seeds"][seed],
            }


def merged(old: Iterable[Line], new: Iterable[Line]) -> list[Line]:
    """All lines; of two for the same stream, arm and seed the later one."""
    by_key = {(line["stream"], line["arm"], line["seed"]): line for line in (*old, *new)}
    return [*by_key.values()]


def table(lines: Iterable[Line]) -> Iterator[str]:
    """A row for each stream and arm, PathNet first, then by ACC."""
    streams: dict[str, dict[str, dict[int, Line]]] = defaultdict(lambda: defaultdict(dict))
    for line in lines:
        streams[line["stream"]][line["arm"]][line["seed"]] = line
    yield "| stream | arm | seeds | ACC | pathnet over it | BWT | parameters | multiply-adds |"
    yield "| --- " * 8 + "|"
    for stream, arms in streams.items():
        ours = arms.get(OURS, {})
        for arm in sorted(arms, key=lambda name: (name != OURS, -_mean(arms[name], "acc"))):
            theirs = arms[arm]
            both = sorted(ours.keys() & theirs.keys())
            lead = [ours[seed]["acc"] - theirs[seed]["acc"] for seed in both]
            yield (
                f"| {stream} | {arm} | {len(theirs)} | {100 * _mean(theirs, 'acc'):.2f} % | "
                f"{_lead(lead) if arm != OURS else ''} | {_lost(theirs)} | "
                f"{_mean(theirs, 'parameters'):,.0f} | {_mean(theirs, 'multiply_adds'):,.0f} |"
            )


def _mean(seeds: dict[int, Line], name: str) -> float:
    known = [line[name] for line in seeds.values() if line[name] is not None]
    return float(sum(known) / len(known)) if known else math.nan


def _lead(differences: list[float]) -> str:
    """The mean difference in points, with its interval."""
    mean, interval = mean_interval(differences)
    if mean is None:
        return ""
    span = ""
    if interval and len(differences) >= FEWEST:
        span = f" ({100 * interval[0]:+.2f} to {100 * interval[1]:+.2f})"
    return f"{100 * mean:+.2f}{span}"


def _lost(seeds: dict[int, Line]) -> str:
    """BWT in points; 0 without decimals if no accuracy of any seed changed at all."""
    return f"{100 * _mean(seeds, 'bwt'):.2f}" if any(s["bwt"] for s in seeds.values()) else "0"


def main() -> None:
    """Add lines, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--add", nargs="+", metavar=("STREAM", "RUN"))
    given = parser.parse_args()
    text = given.results.read_text() if given.results.exists() else ""
    lines = [json.loads(line) for line in text.splitlines()]
    if not given.add:
        print("\n".join(table(lines)))
        return
    stream, *runs = given.add
    new = [line for run in runs for line in lines_of(stream, Path(run))]
    given.results.write_text("".join(json.dumps(line) + "\n" for line in merged(lines, new)))


if __name__ == "__main__":
    main()
