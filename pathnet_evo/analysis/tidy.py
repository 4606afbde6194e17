"""A run's lineage as tidy rows: one dictionary a row, of one value a column."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from pathnet_evo.interfaces.measures import generation_measures, path_measures, score_measures
from pathnet_evo.store import cells
from pathnet_evo.store.cells import number, number_or_none

TRIAL = {"arm": "string", "seed": "int64", "stage": "int64", "name": "string"}
"""Columns that every table begins with, and their types; ``object`` holds nested tuples."""
EVALUATIONS = {
    **TRIAL,
    "evaluation": "int64",
    "generation": "int64",
    "candidate": "int64",
    "slot": "int64",
    "parent": "Int64",
    "fitness": "float64",
    "state": "string",
    "cause": "string",
    "examples": "int64",
    "seconds": "float64",
    "genotype": object,
}
GENERATIONS = {
    **TRIAL,
    "generation": "int64",
    "evaluations": "int64",
    "fitness/best": "float64",
    "fitness/mean": "float64",
}
REPLACEMENTS = {
    **TRIAL,
    "evaluation": "int64",
    "winner": "Int64",
    "loser": "int64",
    "parent": "Int64",
    "changes": object,
}
EPISODES = {
    **TRIAL,
    "episode": "int64",
    "candidate": "int64",
    "slot": "int64",
    "score": "float64",
    "frames": "int64",
    "at": "int64",
}
CURVES = {**TRIAL, "unit": "string", "used": "int64", "value": "float64"}
SCORES = {**TRIAL, "after": "int64", "score": "string", "value": "float64"}
STAGES = {
    **TRIAL,
    "state": "string",
    "budget": "int64",
    "evaluations": "Int64",
    "examples": "Int64",
    "seconds": "float64",
    "fitness": "float64",
    "path": object,
    "path/reused": "float64",
    "pool/frozen": "Int64",
}


def place(arm: str, seed: int, stage: int, name: str) -> dict[str, Any]:
    """Where a row belongs: the values of ``TRIAL``."""
    return {"arm": arm, "seed": seed, "stage": stage, "name": name}


def _own(values: Mapping[str, float], columns: Mapping[str, Any]) -> dict[str, float]:
    """A learner's metrics; those that are called like a column of ours are told apart."""
    return {f"metric/{n}" if n in columns else n: value for n, value in values.items()}


def _metrics(text: str) -> dict[str, float]:
    return {str(name): number(value) for name, value in json.loads(text).items()}


def _rows(db: sqlite3.Connection, table: str, columns: str, rest: str) -> sqlite3.Cursor:
    """Rows of a table with the trial and stage that they are of."""
    return db.execute(
        f"SELECT t.arm, t.seed, s.stage, s.task, {columns} FROM {table} x "  # noqa: S608
        f"JOIN trials t USING (trial) JOIN stages s USING (trial, stage) {rest}"
    )


def evaluations(db: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """Every evaluation, in order."""
    columns = (
        "s.counts, x.evaluation, x.generation, x.candidate, x.place, x.parent, x.fitness, "
        "x.state, x.cause, x.examples, m.seconds, x.genotype, x.metrics"
    )
    rest = "LEFT JOIN times m USING (trial, stage, evaluation) ORDER BY x.trial, x.stage, "
    for row in _rows(db, "evaluations", columns, f"{rest} x.evaluation"):
        yield {
            **place(*tuple(row)[:4]),
            "evaluation": row["evaluation"],
            "generation": row["generation"],
            "candidate": row["candidate"],
            "slot": row["place"],
            "parent": row["parent"],
            "fitness": number_or_none(row["fitness"]),
            "state": row["state"],
            "cause": row["cause"],
            "examples": row["examples"],
            "seconds": number_or_none(row["seconds"]),
            "genotype": _genotype(row["genotype"], row["counts"]),
            **_own(_metrics(row["metrics"]), EVALUATIONS),
        }


@lru_cache(maxsize=4096)
def _genotype(text: str, counts: str) -> tuple[tuple[int, ...], ...]:
    return tuple(map(tuple, cells.genotype(text, cells.counts(counts))))


def generations(db: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """Every generation, in order."""
    metrics: dict[tuple[str, int, int, int], list[dict[str, float]]] = {}
    order = "ORDER BY x.trial, x.stage, x.evaluation"
    for row in _rows(db, "evaluations", "x.generation, x.metrics", order):
        key = (row["arm"], row["seed"], row["stage"], row["generation"])
        metrics.setdefault(key, []).append(_metrics(row["metrics"]))
    columns = "x.generation, x.evaluations, x.best, x.mean, x.diversity"
    for row in _rows(db, "generations", columns, "ORDER BY x.trial, x.stage, x.generation"):
        diversity = json.loads(row["diversity"]) if row["diversity"] else {}
        told = metrics.get((row["arm"], row["seed"], row["stage"], row["generation"]), [])
        measured = generation_measures(
            number_or_none(row["best"]),
            number_or_none(row["mean"]),
            {str(name): number(value) for name, value in diversity.items()},
            [_own(found, GENERATIONS) for found in told],
        )
        counted = {"generation": row["generation"], "evaluations": row["evaluations"]}
        yield {**place(*tuple(row)[:4]), **counted, **measured}


def replacements(db: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """Every genotype that overwrote another, in order."""
    rest = "WHERE x.kind = 'replacement' ORDER BY x.trial, x.stage, x.evaluation, x.number"
    for row in _rows(db, "events", "x.evaluation, x.data", rest):
        data = json.loads(row["data"])
        yield {
            **place(*tuple(row)[:4]),
            "evaluation": row["evaluation"],
            **{name: data[name] for name in ("winner", "loser", "parent")},
            "changes": tuple(tuple(map(int, change)) for change in data["changes"]),
        }


def episodes(db: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """Every episode, in order."""
    columns = "x.episode, x.candidate, x.place AS slot, x.score, x.frames, x.at"
    for row in _rows(db, "episodes", columns, "ORDER BY x.trial, x.stage, x.episode"):
        values = {name: row[name] for name in EPISODES if name not in TRIAL}
        yield {**place(*tuple(row)[:4]), **values, "score": number(row["score"])}


def scores(db: sqlite3.Connection, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Every test score, by the stages' names."""
    for row in db.execute(
        "SELECT t.arm, t.seed, s.stage, s.scores FROM stages s JOIN trials t USING (trial) "
        "ORDER BY s.trial, s.stage"
    ):
        for stage, found in cells.scores(row["scores"]).items():
            for score, value in found.items():
                scored = place(row["arm"], row["seed"], stage, names[stage])
                yield {**scored, "after": row["stage"], "score": score, "value": value}


def stages(db: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """Every stage that has begun."""
    for row in db.execute(
        "SELECT t.arm, t.seed, s.stage, s.task, t.state, m.seconds, s.* FROM stages s "
        "JOIN trials t USING (trial) LEFT JOIN stage_times m USING (trial, stage) "
        "ORDER BY s.trial, s.stage"
    ):
        over = row["path"] is not None
        found = {
            **place(*tuple(row)[:4]),
            "state": "finished" if over else row["state"],
            **{name: row[name] for name in ("budget", "evaluations", "examples")},
            **{name: number_or_none(row[name]) for name in ("seconds", "fitness")},
        }
        if over:
            counts = cells.counts(row["counts"])
            path, reused, frozen = (
                cells.path(row[n], counts) for n in ("path", "reused", "frozen")
            )
            found |= {"path": path, **path_measures(path, reused, frozen)}
            found |= score_measures(cells.scores(row["scores"]).get(row["stage"], {}))
        yield found
