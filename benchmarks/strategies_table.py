"""Tables in Markdown of what ``strategies.py`` found.

    python benchmarks/strategies_table.py digits.jsonl mnist.jsonl > tables.md

The file's name is the table's title. A seed counts once all cells have it. Means have 95 %
intervals over seeds; differences are paired by seed, and no p value is corrected for the number of
tests.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeAlias

from strategies import EVALUATIONS, LINES, POPULATIONS, STRATEGIES, Cell, cells

from pathnet_evo.analysis.significance import difference
from pathnet_evo.analysis.statistics import SHARE, mean_interval

Scores: TypeAlias = Mapping[Cell, Mapping[int, tuple[float, float]]]
"""For each cell and seed, the test accuracy right after each stage."""

FEW, ALWAYS, MUTANTS = "few images", "frozen path always active", "mutants of one path"


def read(file: Path) -> Scores:
    """The scores in a file of JSON lines, of those seeds under which every cell was run."""
    found: dict[Cell, dict[int, tuple[float, float]]] = {}
    for text in file.read_text().splitlines():
        line = json.loads(text)
        cell = Cell(**{name: line[name] for name in asdict(Cell())})
        found.setdefault(cell, {})[line["seed"]] = tuple(line["scores"])
    whole = set.intersection(*(set(found.get(cell, ())) for cell in cells()))
    return {cell: {s: v for s, v in seeds.items() if s in whole} for cell, seeds in found.items()}


def tables(scores: Scores) -> Iterator[str]:
    """The lines of all tables."""
    base = Cell()
    shown = f"{EVALUATIONS:,} evaluations a stage, base point: {base.strategy}, P = 20"
    yield f"Strategy by population ({shown}):\n"
    yield "| arm or strategy | P | first task | second task | second task, minus random | seeds |"
    yield "| --- | --- | --- | --- | --- | --- |"
    random = Cell("random")
    for cell in LINES:
        yield row(scores, cell, cell.arm, random)
    for strategy in STRATEGIES:
        for population in POPULATIONS:
            cell = Cell(strategy=strategy, population=population)
            yield row(scores, cell, strategy, random)
    yield "\nOne thing changed from the base point:\n"
    yield "| what | P | first task | second task | second task, minus base | seeds |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for population in POPULATIONS:
        if population != base.population:
            cell = replace(base, population=population)
            yield row(scores, cell, f"population of {population}", base)
    yield row(scores, replace(base, start="mutants"), MUTANTS, base)
    yield row(scores, replace(base, always_active=True), ALWAYS, base)
    yield "\nThe second task with 100 images:\n"
    yield "| arm | P | first task | second task | second task, minus independent | seeds |"
    yield "| --- | --- | --- | --- | --- | --- |"
    few = replace(base, few=True)
    alone = replace(Cell("independent"), few=True)
    yield row(scores, few, "pathnet", alone)
    yield row(scores, replace(few, always_active=True), f"pathnet, {ALWAYS}", alone)
    for line in LINES:
        yield row(scores, replace(line, few=True), line.arm, alone)


def row(scores: Scores, cell: Cell, name: str, against: Cell) -> str:
    """A cell's accuracies, and what it has over another on the second task."""
    found = scores.get(cell, {})
    first, second = ({s: v[i] for s, v in found.items()} for i in (0, 1))
    population = str(cell.population) if cell.arm == "pathnet" else ""
    shown = [name, population, accuracy(first), accuracy(second)]
    shown.append("" if cell == against else minus(second, scores.get(against, {})))
    return f"| {' | '.join([*shown, str(len(found))])} |"


def accuracy(values: Mapping[int, float]) -> str:
    """``93.1 % (92.0 to 94.2)``."""
    mean, interval = mean_interval([*values.values()], SHARE)
    if mean is None:
        return ""
    ends = "" if interval is None else f" ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})"
    return f"{100 * mean:.1f} %{ends}"


def minus(second: Mapping[int, float], other: Mapping[int, tuple[float, float]]) -> str:
    """``+1.2 points (+0.3 to +2.1), p = 0.01``."""
    test = difference(second, {seed: values[1] for seed, values in other.items()}, SHARE)
    if test["interval"] is None or not test["paired"]:
        return ""
    low, high = test["interval"]
    p = "" if test["t_p"] is None else f", p = {test['t_p']:.2g}"
    return f"{100 * test['mean']:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f}){p}"


def main() -> None:
    """Print the tables of each file."""
    for name in sys.argv[1:]:
        file = Path(name)
        print(f"### {file.stem}\n")
        print("\n".join(tables(read(file))) + "\n")


if __name__ == "__main__":
    main()
