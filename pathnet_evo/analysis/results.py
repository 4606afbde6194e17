"""Results of a run, read from its folder: configuration, machine, and each trial."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pathnet_evo.analysis.statistics import ANY, Range, extent
from pathnet_evo.core.genotype import distinct, n_modules
from pathnet_evo.interfaces.records import not_scored
from pathnet_evo.store import cells
from pathnet_evo.store.cells import number, number_or_none

SIZES = ("parameters", "multiply_adds", "stored")
"""What is known of a network's size."""


@dataclass(frozen=True)
class StageResult:
    """One stage of one trial, from the lineage.

    Args:
        stage: index in the sequence.
        name: the name of stage or task.
        budget: evaluations at the most, or frames where ``by_frames``.
        by_frames: whether the budget counts examples or frames.
        random_baseline: the chief score of who has learned nothing, or None.
        counts: modules of each layer.
        fitness_name: what the fitness is.
        unit: what its evaluations count.
        finished: whether its best path was found and scored.
        generations: how many are over.
        examples: examples or frames used.
        sizes: the examples or frames of each evaluation, in the order told.
        episodes: the frames used when each ended, and its score.
        failed: evaluations without a fitness.
        fitnesses: each evaluation's fitness in the order told; None where it failed.
        fitness: the fitness of the best path; None until the stage is over.
        reused: modules of the best path that an earlier stage froze.
        scores: for each stage so far, its test scores right after this one.
        seconds: how long it took; None until the stage is over.
        frozen: modules that are frozen after it; None until the stage is over.
        front: of a strategy with several objectives, what there was to choose from.
        not_scored: why scores are missing.
        usage: how its evaluations ran on workers, by name.
        before: test scores before training, with the features of the stage before it.
        untrained: the same with random weights throughout.
        size: parameters, multiply-adds and stored parameters of its network, by name.
    """

    stage: int
    name: str
    budget: int
    by_frames: bool
    random_baseline: float | None
    counts: tuple[int, ...]
    fitness_name: str
    unit: str
    finished: bool
    generations: int
    examples: int
    sizes: tuple[int, ...]
    episodes: tuple[tuple[int, float], ...]
    failed: int
    fitnesses: tuple[float | None, ...]
    fitness: float | None
    reused: int | None
    scores: dict[int, dict[str, float]]
    seconds: float | None
    frozen: int | None = None
    front: dict[str, Any] | None = None
    not_scored: tuple[str, ...] = ()
    usage: dict[str, float] = field(default_factory=dict)
    before: dict[str, float] = field(default_factory=dict)
    untrained: dict[str, float] = field(default_factory=dict)
    size: dict[str, int] = field(default_factory=dict)

    @property
    def early_end(self) -> tuple[int, float] | None:
        """The frames used when it ended, and the fitness of the path it froze.

        None where it used up its budget: it reached no threshold, and was not told to end.
        """
        if not (self.by_frames and self.finished and self.examples < self.budget):
            return None
        return None if self.fitness is None else (self.examples, self.fitness)


@dataclass(frozen=True)
class TrialResult:
    """One arm and one seed, possibly unfinished."""

    trial: int
    arm: str
    seed: int
    state: str
    error: str | None
    stages: dict[int, StageResult]

    def finished(self, stage: int) -> StageResult | None:
        """A finished stage, or None."""
        result = self.stages.get(stage)
        return result if result is not None and result.finished else None


def read_trials(db: sqlite3.Connection) -> list[TrialResult]:
    """Every started trial with its started stages."""
    found = []
    for row in db.execute("SELECT * FROM trials ORDER BY trial").fetchall():
        stages = db.execute(
            "SELECT s.*, t.seconds, t.usage FROM stages s "
            "LEFT JOIN stage_times t USING (trial, stage) WHERE s.trial = ? ORDER BY s.stage",
            (row["trial"],),
        ).fetchall()
        results = {stage["stage"]: _stage_result(db, stage) for stage in stages}
        found.append(
            TrialResult(row["trial"], row["arm"], row["seed"], row["state"], row["error"], results)
        )
    return found


def _stage_result(db: sqlite3.Connection, row: sqlite3.Row) -> StageResult:
    key = (row["trial"], row["stage"])
    where = "WHERE trial = ? AND stage = ?"
    (generations,) = db.execute(f"SELECT count(*) FROM generations {where}", key).fetchone()  # noqa: S608
    evaluations = db.execute(
        f"SELECT fitness, examples FROM evaluations {where} ORDER BY evaluation",  # noqa: S608
        key,
    ).fetchall()
    episodes = db.execute(f"SELECT at, score FROM episodes {where} ORDER BY episode", key)  # noqa: S608
    fitnesses = tuple(number_or_none(e["fitness"]) for e in evaluations)
    sizes = tuple(e["examples"] for e in evaluations)
    used = row["examples"]
    counts = cells.counts(row["counts"])
    before, network = _event(db, key, "before training"), _event(db, key, "network")
    return StageResult(
        stage=row["stage"],
        name=row["task"],
        budget=row["budget"],
        by_frames=bool(row["by_frames"]),
        random_baseline=number_or_none(row["chance"]),
        counts=counts,
        fitness_name=row["fitness_name"],
        unit=row["unit"],
        finished=row["path"] is not None,
        generations=generations,
        examples=sum(sizes) if used is None else used,
        sizes=sizes,
        episodes=tuple((at, number(score)) for at, score in episodes),
        failed=fitnesses.count(None),
        fitnesses=fitnesses,
        fitness=number_or_none(row["fitness"]),
        reused=n_modules(cells.path(row["reused"], counts)) if row["reused"] else None,
        scores=cells.scores(row["scores"]),
        seconds=number_or_none(row["seconds"]),
        frozen=n_modules(cells.path(row["frozen"], counts)) if row["frozen"] else None,
        front=_front(db, key, counts),
        not_scored=_not_scored(db, key),
        usage=cells.usage(row["usage"]),
        before=_numbers(before.get("scores", {})),
        untrained=_numbers(before.get("untrained", {})),
        size={name: int(number(network[name])) for name in SIZES if network.get(name) is not None},
    )


def _event(db: sqlite3.Connection, key: tuple[int, int], kind: str) -> dict[str, Any]:
    """The data of a stage's one event of a kind; empty where there is none, as in older runs."""
    row = db.execute(
        "SELECT data FROM events WHERE trial = ? AND stage = ? AND kind = ?", (*key, kind)
    ).fetchone()
    found: dict[str, Any] = {} if row is None else json.loads(row["data"])
    return found


def _numbers(values: dict[str, Any]) -> dict[str, float]:
    return {str(name): number(value) for name, value in values.items() if value is not None}


def _not_scored(db: sqlite3.Connection, key: tuple[int, int]) -> tuple[str, ...]:
    found = db.execute(
        "SELECT data FROM events WHERE trial = ? AND stage = ? AND kind = 'not scored' "
        "ORDER BY evaluation, number",
        key,
    )
    events = [json.loads(data) for (data,) in found]
    return tuple(not_scored(event["scored"], event["cause"]) for event in events)


def _front(
    db: sqlite3.Connection, key: tuple[int, int], counts: tuple[int, ...]
) -> dict[str, Any] | None:
    found = _event(db, key, "front")
    if not found:
        return None
    members = [
        {
            "objectives": [number(value) for value in values],
            "path": distinct(cells.genotype(json.dumps(rows), counts)),
            "modules": n_modules(distinct(rows)),
            "chosen": i == found["chosen"],
        }
        for i, (rows, values) in enumerate(found["members"])
    ]
    objectives = [str(name) for name in found["objectives"]]
    return {"objectives": objectives, "rule": str(found["rule"]), "members": members}


def returned(trials: Iterable[TrialResult], stage: int) -> Range:
    """The lowest and highest return of a stage, of an episode or a test score of any trial.

    Without episodes there are no returns: anything.
    """
    begun = [t.stages[stage] for t in trials if stage in t.stages]
    played = [score for s in begun for _, score in s.episodes]
    tested = [
        value for s in begun for name, value in s.scores.get(stage, {}).items() if "return" in name
    ]
    return extent([*played, *tested]) if played else ANY
