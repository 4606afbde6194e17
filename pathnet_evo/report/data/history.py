"""One stage of one trial as evolution went through it, read in one pass over its lineage."""

from __future__ import annotations

import json
import math
import sqlite3
from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

from pathnet_evo.core.genotype import Path as ModulePath
from pathnet_evo.core.genotype import distinct
from pathnet_evo.store import cells
from pathnet_evo.store.cells import number, number_or_none


class Told(NamedTuple):
    """An evaluation; ``genotype`` is JSON, parsed only where it is wanted."""

    generation: int
    candidate: int
    slot: int
    genotype: str
    parent: int | None
    fitness: float | None
    examples: int


class Replaced(NamedTuple):
    """A genotype that overwrote another; ``winner`` is None if it is random.

    ``origin`` is what was copied, where the winner's slot has been overwritten since.
    """

    winner: int | None
    loser: int
    changes: list[list[int]]
    origin: list[list[int]] | None = None


@dataclass(frozen=True)
class History:
    """All that evolution did in a stage.

    Args:
        stage: index in the sequence.
        counts: modules of each layer.
        initial: the first genotype of every slot.
        frozen: modules that earlier stages froze.
        path: the best path; None until the stage is over.
        genotype: the best genotype; None until the stage is over.
        fitness: its fitness.
        budget: evaluations at the most, or frames where ``by_frames``.
        by_frames: whether the budget counts examples or frames.
        random_baseline: the score of who has learned nothing, or None.
        told: the evaluations in the order told.
        replaced: what was overwritten when an evaluation was told, by its number.
        episodes: ``(frames used by its end, score)`` of each, where the task has episodes.

    Numbers that are not finite are None here; ``summary["not_finite"]`` has them.
    """

    stage: int
    counts: tuple[int, ...]
    initial: list[list[list[int]]]
    frozen: ModulePath
    path: ModulePath | None
    genotype: list[list[int]] | None
    fitness: float | None
    budget: int
    by_frames: bool
    random_baseline: float | None
    told: list[Told]
    replaced: dict[int, list[Replaced]]
    episodes: list[tuple[int, float | None]]

    @property
    def width(self) -> int:
        """Genes a layer, N."""
        return len(self.initial[0][0])

    def uses(self) -> list[list[int]]:
        """For each layer, how many evaluations used each module."""
        used = [[0] * count for count in self.counts]
        for genotype, times in Counter(told.genotype for told in self.told).items():
            for layer, modules in zip(used, distinct(json.loads(genotype)), strict=True):
                for module in modules:
                    layer[module] += times
        return used


def read_history(db: sqlite3.Connection, trial: int, stage: int) -> History:
    """Read a stage that has begun.

    Raises:
        ValueError: something of it makes no sense, such as a gene that is no module.
    """
    key = (trial, stage)
    row = db.execute("SELECT * FROM stages WHERE trial = ? AND stage = ?", key).fetchone()
    told = db.execute(
        "SELECT generation, candidate, place, genotype, parent, fitness, examples FROM evaluations "
        "WHERE trial = ? AND stage = ? ORDER BY evaluation",
        key,
    )
    events = db.execute(
        "SELECT evaluation, data FROM events WHERE trial = ? AND stage = ? "
        "AND kind = 'replacement' ORDER BY evaluation, number",
        key,
    )
    episodes = db.execute(
        "SELECT at, score FROM episodes WHERE trial = ? AND stage = ? ORDER BY episode", key
    ).fetchall()
    counts = cells.counts(row["counts"])
    initial = cells.population(row["population"], counts)
    evaluations = [Told(*values) for values in told]
    _check(evaluations, counts, initial)
    replaced: dict[int, list[Replaced]] = {}
    for evaluation, data in events:
        replaced.setdefault(evaluation, []).append(_replaced(json.loads(data), counts, initial))
    return History(
        stage=stage,
        counts=counts,
        initial=initial,
        frozen=cells.path(row["frozen_before"], counts),
        path=cells.path(row["path"], counts) if row["path"] else None,
        genotype=cells.genotype(row["genotype"], counts) if row["genotype"] else None,
        fitness=finite(number_or_none(row["fitness"])),
        budget=row["budget"],
        by_frames=bool(row["by_frames"]),
        random_baseline=finite(number_or_none(row["chance"])),
        told=[e._replace(fitness=finite(number_or_none(e.fitness))) for e in evaluations],
        replaced=replaced,
        episodes=[(at, finite(number(score))) for at, score in episodes],
    )


def finite(value: float | None) -> float | None:
    """A number that can be drawn; None stands for any other."""
    return value if value is not None and math.isfinite(value) else None


def _check(told: list[Told], counts: tuple[int, ...], initial: list[list[list[int]]]) -> None:
    """Refuse genotypes that do not fit the pool, and slots and generations out of order."""
    width = len(initial[0][0])
    if any(len(genotype[0]) != width for genotype in initial):
        raise ValueError("a population of genotypes of several sizes")
    for text in dict.fromkeys(evaluation.genotype for evaluation in told):
        if len(cells.genotype(text, counts)[0]) != width:
            raise ValueError(f"a genotype that is not {width} genes wide")
    for n, evaluation in enumerate(told):
        if not (0 <= evaluation.generation <= n and 0 <= evaluation.slot < len(initial)):
            raise ValueError(f"evaluation {n} has no slot in the population")


def _replaced(
    event: dict[str, Any], counts: tuple[int, ...], initial: list[list[list[int]]]
) -> Replaced:
    winner, loser, changes = event["winner"], event["loser"], event["changes"]
    slots, width = range(len(initial)), len(initial[0][0])
    if not (loser in slots and (winner is None or winner in slots)):
        raise ValueError("a replacement outside the population")
    for layer, gene, before, after in changes:
        modules = range(counts[layer])
        if not (layer >= 0 and gene in range(width) and before in modules and after in modules):
            raise ValueError("a mutation outside the genotype")
    origin = None if event.get("origin") is None else cells.genes(event["origin"], counts)
    if origin is not None and len(origin[0]) != width:
        raise ValueError(f"a genotype that is not {width} genes wide")
    return Replaced(winner, loser, changes, origin)
