"""One stage of one trial as evolution went through it, read in one pass over its lineage."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

from pathnet_evo.genotype import Path as ModulePath
from pathnet_evo.genotype import distinct


class Told(NamedTuple):
    """An evaluation; ``genotype`` is JSON, parsed only where it is wanted."""

    generation: int
    candidate: int
    place: int
    genotype: str
    parent: int | None
    fitness: float | None
    examples: int


class Replaced(NamedTuple):
    """A genotype that overwrote another; ``winner`` is None where it was drawn anew."""

    winner: int | None
    loser: int
    changes: list[list[int]]


@dataclass(frozen=True)
class History:
    """All that evolution did in a stage.

    Args:
        stage: index in the sequence.
        counts: modules of each layer.
        initial: the first genotype of every place.
        frozen: modules that earlier stages froze.
        path: the best path; None until the stage is over.
        genotype: the best genotype; None until the stage is over.
        fitness: its fitness.
        budget: evaluations at the most, or frames where ``by_frames``.
        by_frames: whether the budget counts examples or frames.
        chance: the score of who has learned nothing, or None.
        told: the evaluations in the order told.
        replaced: what was overwritten when an evaluation was told, by its number.
        episodes: ``(frames used by its end, score)`` of each, where the task has episodes.
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
    chance: float | None
    told: list[Told]
    replaced: dict[int, list[Replaced]]
    episodes: list[tuple[int, float]]

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
    """Read a stage that has begun."""
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
    replaced: dict[int, list[Replaced]] = {}
    for evaluation, data in events:
        event = json.loads(data)
        found = Replaced(event["winner"], event["loser"], event["changes"])
        replaced.setdefault(evaluation, []).append(found)
    return History(
        stage=stage,
        counts=tuple(json.loads(row["counts"])),
        initial=json.loads(row["population"]),
        frozen=_path(row["frozen_before"]),
        path=_path(row["path"]) if row["path"] else None,
        genotype=json.loads(row["genotype"]) if row["genotype"] else None,
        fitness=row["fitness"],
        budget=row["budget"],
        by_frames=bool(row["by_frames"]),
        chance=row["chance"],
        told=[Told(*values) for values in told],
        replaced=replaced,
        episodes=[(at, score) for at, score in episodes],
    )


def _path(text: str) -> ModulePath:
    layers: list[list[Any]] = json.loads(text)
    return tuple(map(tuple, layers))
