"""The lineage rows of a record, and the digest that checkpoints keep of them."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from pathnet_evo.interfaces.records import (
    BeforeTraining,
    EpisodesFinished,
    Evaluated,
    FrontFound,
    GenerationFinished,
    NetworkMeasured,
    NotScored,
    Record,
    Saturated,
    StageFinished,
    StageStarted,
    TransferPlanned,
)
from pathnet_evo.store.cells import plain, real

if TYPE_CHECKING:  # reading a run needs no torch
    from pathnet_evo.interfaces.evaluations import Episode

Row: TypeAlias = tuple[str, dict[str, Any]]
"""A table and the values of its columns."""


APART = 1_000_000
"""Keeps the numbers of ``NotScored`` apart from those of layers, which come before it as a stage
begins, and from that of the front, which comes after it as a stage ends."""


def rows(record: Record) -> Iterator[Row]:
    """The rows that a record adds; ``results`` stands for the columns that end a stage's row.

    Values are what SQLite gives back, so that a row that was written and read is the same.
    """
    match record:
        case StageStarted():
            yield "stages", _stage(record)
        case Evaluated():
            yield from _evaluation(record)
        case EpisodesFinished():
            for number, episode in enumerate(record.episodes, record.number):
                yield "episodes", _episode(record, number, episode)
        case GenerationFinished():
            found = plain(dict(record.diversity)) if record.diversity else None
            means = {"best": real(record.best), "mean": real(record.mean)}
            yield "generations", {**vars(record), **means, "diversity": found}
        case Saturated():
            place = {"trial": record.trial, "stage": record.stage, "evaluation": -1}
            data = {"kind": "saturation", "data": plain(vars(record))}
            yield "events", {**place, "number": record.layer, **data}
        case BeforeTraining():
            place = {"trial": record.trial, "stage": record.stage, "evaluation": -1}
            found = plain({"scores": record.scores, "untrained": record.untrained})
            yield "events", {**place, "number": -2, "kind": "before training", "data": found}
        case TransferPlanned():
            place = {"trial": record.trial, "stage": record.stage, "evaluation": -1}
            data = {"kind": "transfer", "data": plain(vars(record))}
            yield "events", {**place, "number": -1, **data}
        case FrontFound():
            place = {"trial": record.trial, "stage": record.stage}
            found = plain({**vars(record.front), "chosen": record.chosen})
            event = {"number": 0, "kind": "front", "data": found}
            yield "events", {**place, "evaluation": record.evaluations, **event}
        case NetworkMeasured():
            place = {"trial": record.trial, "stage": record.stage}
            kept = ("parameters", "multiply_adds", "stored", "fitted_readout")
            found = plain({name: getattr(record, name) for name in kept})
            event = {"number": 1, "kind": "network", "data": found}
            yield "events", {**place, "evaluation": record.evaluations, **event}
        case NotScored():
            place = {"trial": record.trial, "stage": record.stage}
            number = APART if record.scored is None else record.scored - APART
            found = plain({"scored": record.scored, "cause": record.cause})
            event = {"number": number, "kind": "not scored", "data": found}
            yield "events", {**place, "evaluation": record.evaluations, **event}
        case StageFinished():
            yield "results", _result(record)


def _stage(record: StageStarted) -> dict[str, Any]:
    return {
        "trial": record.trial,
        "stage": record.stage,
        "task": record.task,
        "budget": record.budget,
        "by_frames": int(record.by_frames),
        "chance": real(record.random_baseline),
        "counts": plain(record.counts),
        "fitness_name": record.fitness_name,
        "unit": record.unit,
        "population": plain(record.population),
        "frozen_before": plain(record.frozen),
    }


def _episode(record: EpisodesFinished, number: int, episode: Episode) -> dict[str, Any]:
    return {
        "trial": record.trial,
        "stage": record.stage,
        "episode": number,
        "candidate": episode.candidate,
        "place": episode.slot,
        "score": real(episode.score),
        "frames": episode.frames,
        "at": episode.at,
    }


def _evaluation(record: Evaluated) -> Iterator[Row]:
    key = {"trial": record.trial, "stage": record.stage, "evaluation": record.number}
    done = record.evaluation
    candidate = done.candidate
    yield (
        "evaluations",
        {
            **key,
            "generation": record.generation,
            "candidate": candidate.id,
            "place": candidate.slot,
            "genotype": plain(candidate.genotype),
            "parent": candidate.parent,
            "batches": candidate.batches,
            "fitness": real(done.fitness),
            "state": done.state,
            "cause": done.cause,
            "examples": int(done.examples),
            "metrics": plain(dict(done.metrics)),
        },
    )
    yield "times", {**key, "seconds": done.seconds}
    for number, replacement in enumerate(record.replacements):
        said = {k: v for k, v in vars(replacement).items() if k != "origin" or v is not None}
        data = {"kind": "replacement", "data": plain(said)}
        yield "events", {**key, "number": number, **data}
    for number, copied in enumerate(record.copied, len(record.replacements)):
        data = {"kind": "duplication", "data": plain(vars(copied))}
        yield "events", {**key, "number": number, **data}


def _result(record: StageFinished) -> dict[str, Any]:
    return {
        "trial": record.trial,
        "stage": record.stage,
        "evaluations": record.evaluations,
        "examples": int(record.examples),
        "genotype": plain(record.genotype),
        "path": plain(record.path),
        "fitness": real(record.fitness),
        "reused": plain(record.reused),
        "frozen": plain(record.frozen),
        "scores": plain(record.scores),
    }


# The digest -------------------------------------------------------------------------------

CHAINED = ("stages", "results", "evaluations", "episodes", "events", "generations")
"""What the digest covers: everything reproducible, in order of emission."""

MAY_CHANGE = ("budget",)
"""Columns that a resumed run can change."""


class Chains:
    """SHA-256 of a trial's rows so far, one chain for each table.

    A link is the digest of the previous link and a row, so 32 bytes suffice to continue.

    Args:
        links: links to continue from, in hexadecimal; by default the start.
    """

    def __init__(self, links: Mapping[str, str] | None = None) -> None:
        links = dict.fromkeys(CHAINED, "") if links is None else links
        self._links = {table: bytes.fromhex(links[table]) for table in CHAINED}

    def add(self, table: str, values: Mapping[str, Any]) -> None:
        """Add a row."""
        if table in self._links:
            kept = {name: value for name, value in values.items() if name not in MAY_CHANGE}
            line = json.dumps(sorted(kept.items()), separators=(",", ":")).encode()
            self._links[table] = hashlib.sha256(self._links[table] + line).digest()

    def on_record(self, record: Record) -> None:
        """Add a record's rows."""
        for table, values in rows(record):
            self.add(table, values)

    @property
    def links(self) -> dict[str, str]:
        """The latest link of each chain, in hexadecimal."""
        return {table: link.hex() for table, link in self._links.items()}


@dataclass(frozen=True)
class Position:
    """A trial's progress: the rows that a checkpoint depends on.

    Args:
        stage: index of the stage.
        evaluations: told in this stage.
        episodes: ended in this stage.
        finished: whether the stage is over.
    """

    stage: int
    evaluations: int
    episodes: int
    finished: bool

    def within(self, table: str) -> tuple[str, tuple[int, ...]]:
        """The SQL condition for the covered rows of a table, and its parameters."""
        here = (self.stage, self.stage)
        if self.finished or table in ("stages", "data"):
            return "(stage <= ?)", (self.stage,)
        match table:
            case "evaluations" | "times" | "events":
                return "(stage < ? OR stage = ? AND evaluation < ?)", (*here, self.evaluations)
            case "episodes":
                return "(stage < ? OR stage = ? AND episode < ?)", (*here, self.episodes)
            case "generations":
                return "(stage < ? OR stage = ? AND evaluations <= ?)", (*here, self.evaluations)
            case _:
                return "(stage < ?)", (self.stage,)


ORDER = {
    "stages": "stage",
    "results": "stage",
    "evaluations": "stage, evaluation",
    "episodes": "stage, episode",
    "events": "stage, evaluation, number",
    "generations": "stage, generation",
}
STARTED = (
    "trial, stage, task, by_frames, chance, counts, fitness_name, unit, population, frozen_before"
)
RESULT = "trial, stage, evaluations, examples, genotype, path, fitness, reused, frozen, scores"


def chains_of(db: sqlite3.Connection, trial: int, position: Position) -> Chains:
    """The chains of a trial's rows in the lineage, up to a position."""
    chains = Chains()
    for table in CHAINED:
        columns = {"stages": STARTED, "results": RESULT}.get(table, "*")
        where, values = position.within(table)
        query = (
            f"SELECT {columns} FROM {'stages' if table == 'results' else table} "  # noqa: S608
            f"WHERE trial = ? AND {where} ORDER BY {ORDER[table]}"
        )
        cursor = db.execute(query, (trial, *values))
        names = [column[0] for column in cursor.description]
        for row in cursor:
            chains.add(table, dict(zip(names, row, strict=True)))
    return chains
