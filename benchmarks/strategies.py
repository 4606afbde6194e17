"""Strategies, populations and options at equal evaluations, seed by seed, one JSON line a trial.

    python benchmarks/strategies.py digits digits.jsonl
    python benchmarks/strategies.py mnist mnist.jsonl --root DATA

``digits`` needs nothing. ``mnist`` reads the four files of MNIST in ``DATA/MNIST/raw``, as
torchvision names them; ``--download`` gets them. Trials whose line is there already are skipped, so
what was interrupted goes on when it is called again. All cells of a seed are run before the next
seed. ``strategies_table.py`` makes the tables.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from result_lines import ResultLines

from pathnet_evo.core.genotype import n_modules
from pathnet_evo.interfaces.records import Record, StageFinished
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup import config
from pathnet_evo.setup.plan import Plan
from pathnet_evo.setup.resolving import resolve
from pathnet_evo.trial.trial import learn_sequence

EVALUATIONS = 1_000
MINIBATCHES, BATCH = 16, 16
STRATEGIES = (
    "binary-tournament",
    "asynchronous-tournament",
    "aging",
    "mu-plus-lambda",
    "nsga2",
)
POPULATIONS = (8, 20, 64)
FEW = 100
"""Images of the second task, where it has few."""


@dataclass(frozen=True)
class Cell:
    """One combination of what is compared.

    Args:
        arm: ``pathnet``, or a line to beat.
        strategy: of the arm ``pathnet``; the others have their own.
        population: number of genotypes, P.
        start: the first population, ``random`` or ``mutants``.
        always_active: whether frozen modules are in every path.
        few: whether the second task has 100 images instead of all.
    """

    arm: str = "pathnet"
    strategy: str = "binary-tournament"
    population: int = 20
    start: str = "random"
    always_active: bool = False
    few: bool = False


LINES = tuple(Cell(arm) for arm in ("random", "independent", "fine-tuning"))
"""The lines to beat."""


def cells() -> Iterator[Cell]:
    """A fractional design: strategy by population in full, the rest one factor at a time.

    The base point is the binary tournament of 20. The frozen path always active and few images
    are combined as well, for there they were seen to matter.
    """
    base = Cell()
    for population in POPULATIONS:
        for strategy in STRATEGIES:
            yield Cell(strategy=strategy, population=population)
    yield from LINES
    yield replace(base, start="mutants")
    yield replace(base, always_active=True)
    yield replace(base, few=True)
    yield replace(base, few=True, always_active=True)
    for line in LINES:
        yield replace(line, few=True)


def tasks(data: str, root: str, download: bool) -> list[dict[str, Any]]:
    """The two tasks of a data set: noisy pairs of digits, or MNIST's 0 to 4, then 5 to 9."""
    if data == "digits":
        pair = {"name": "digits", "classes": {"draw": 2}, "noise": 0.5, "copies": 100}
        return [pair, dict(pair)]
    digits = {"name": "mnist", "root": root, "download": download, "noise": 0.5}
    return [{**digits, "classes": [*range(5)]}, {**digits, "classes": [*range(5, 10)]}]


def plan_of(cell: Cell, learned: list[dict[str, Any]]) -> Plan:
    """A cell as a run made ready."""
    frames = EVALUATIONS * MINIBATCHES * BATCH
    second = {**learned[1], "examples": FEW} if cell.few else learned[1]
    data = {
        "arms": [cell.arm],
        "pool": {
            "modules": 10,
            "width": 3,
            "layers": [{"kind": "linear", "units": 20, "repeat": 3}],
        },
        "strategy": {
            "name": cell.strategy,
            "population": cell.population,
            "start": cell.start,
        },
        "transfer": {"connect": "sum" if cell.always_active else "named"},
        "learner": {
            "name": "sgd",
            "learning_rate": 0.05,
            "n_batches": MINIBATCHES,
            "batch_size": BATCH,
        },
        "stages": [{"task": task, "frames": frames} for task in (learned[0], second)],
    }
    return resolve(config.validate(data), REGISTRY)


REGISTRY = Registry()


def trial(cell: Cell, seed: int, learned: list[dict[str, Any]]) -> dict[str, Any]:
    """Learn both tasks; what came out, as plain data."""
    finished: list[StageFinished] = []

    def emit(record: Record) -> None:
        if isinstance(record, StageFinished):
            finished.append(record)

    start = time.perf_counter()
    learn_sequence(plan_of(cell, learned), Trial(0, cell.arm, seed), "cpu", emit)
    return {
        **asdict(cell),
        "seed": seed,
        "scores": [record.scores[i]["test_accuracy"] for i, record in enumerate(finished)],
        "evaluations": [record.evaluations for record in finished],
        "modules": [n_modules(record.path) for record in finished],
        "reused": [n_modules(record.reused) for record in finished],
        "seconds": round(time.perf_counter() - start, 2),
    }


def main() -> None:
    """Run what has no line yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", choices=("digits", "mnist"))
    parser.add_argument("file", type=Path, help="the JSON lines")
    parser.add_argument("--root", default="data", help="the folder that holds MNIST/")
    parser.add_argument("--download", action="store_true", help="download MNIST")
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    learned = tasks(arguments.data, arguments.root, arguments.download)
    found = ResultLines(arguments.file, (*Cell.__dataclass_fields__, "seed"))
    for seed in range(arguments.seeds):
        for cell in cells():
            if {**asdict(cell), "seed": seed} in found:
                continue
            line = trial(cell, seed, learned)
            found.add(line)
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
