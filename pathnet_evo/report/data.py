"""What a report needs of a run, read from its lineage and summarised."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pathnet_evo.config import RunConfig
from pathnet_evo.genotype import Path as ModulePath
from pathnet_evo.genotype import distinct
from pathnet_evo.run.lineage import open_lineage
from pathnet_evo.run.summary import (
    TrialResult,
    read_config,
    read_trials,
    smoothing_window,
    summarise,
)

Role: TypeAlias = Literal["unused", "frozen", "reused", "new"]
"""What a module is to a path: none of these, frozen before and not in it, both, or new in it."""

FAILURES_SHOWN = 50


@dataclass(frozen=True)
class PathView:
    """The best path of a stage, and the pool around it.

    Args:
        arm: whose it is.
        seed: of which seed.
        stage: index in the sequence.
        name: the stage's name.
        counts: modules of each layer.
        path: the path's modules, layer by layer.
        frozen_before: modules that earlier stages froze.
        freezes: whether the path was frozen afterwards.
    """

    arm: str
    seed: int
    stage: int
    name: str
    counts: tuple[int, ...]
    path: ModulePath
    frozen_before: ModulePath
    freezes: bool

    def role(self, layer: int, module: int) -> Role:
        """What a module is to the path."""
        frozen = module in self.frozen_before[layer]
        if module in self.path[layer]:
            return "reused" if frozen else "new"
        return "frozen" if frozen else "unused"


@dataclass(frozen=True)
class Usage:
    """How often a stage's evaluations used each module, over all seeds of an arm.

    Args:
        stage: index in the sequence.
        name: the stage's name.
        shares: for each layer, for each module the share of evaluations.
    """

    stage: int
    name: str
    shares: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Failure:
    """An evaluation without a fitness."""

    arm: str
    seed: int
    stage: str
    evaluation: int
    cause: str


@dataclass(frozen=True)
class Curve:
    """An arm's learning curve on a stage, smoothed.

    Args:
        seeds: for each seed, the trailing mean of its fitness after each evaluation.
        mean: their mean, as far as all seeds have come.
    """

    seeds: dict[int, list[float | None]]
    mean: list[float | None]


@dataclass(frozen=True)
class ReportData:
    """A run as its report shows it.

    Args:
        folder: where it lies.
        toml: its configuration as text.
        config: its configuration.
        summary: what came out.
        trials: every trial that has begun.
        shown: the arm whose paths are drawn.
        paths: the best path of each stage of that arm's first seed that has any.
        usage: module usage of that arm.
        failures: the first evaluations that failed.
        n_failures: how many there are.
    """

    folder: Path
    toml: str
    config: RunConfig
    summary: dict[str, Any]
    trials: list[TrialResult]
    shown: str
    paths: list[PathView]
    usage: list[Usage]
    failures: list[Failure]
    n_failures: int

    @property
    def arms(self) -> list[str]:
        """The names of the arms, in the order configured."""
        return list(self.summary["arms"])

    @property
    def stages(self) -> list[dict[str, Any]]:
        """What the summary says of each stage."""
        stages = self.summary["stages"]
        assert isinstance(stages, list)
        return stages

    def curve(self, arm: str, stage: int) -> Curve:
        """An arm's learning curve on a stage; empty where it has none."""
        runs = {t.seed: t.stages[stage] for t in self.trials if t.arm == arm and stage in t.stages}
        seeds = {
            seed: trailing_means(run.fitnesses, smoothing_window(run.budget))
            for seed, run in runs.items()
            if run.fitnesses
        }
        together = zip(*seeds.values(), strict=False)
        return Curve(seeds, [_mean(values) for values in together])


def read_report_data(folder: Path) -> ReportData:
    """Read all that a report shows.

    Raises:
        RunError: no such run.
        ConfigError: ``run.toml`` is damaged.
        LineageError: ``lineage.sqlite`` is damaged.
    """
    config = read_config(folder)
    shown = _arm_to_draw(config)
    with closing(open_lineage(folder / "lineage.sqlite")) as db:
        (n_failures,) = db.execute(
            "SELECT count(*) FROM evaluations WHERE fitness IS NULL"
        ).fetchone()
        return ReportData(
            folder=folder,
            toml=(folder / "run.toml").read_text(encoding="utf-8"),
            config=config,
            summary=summarise(folder),
            trials=read_trials(db),
            shown=shown,
            paths=_paths(db, config, shown),
            usage=list(_usage(db, shown)),
            failures=_failures(db),
            n_failures=n_failures,
        )


def trailing_means(fitnesses: Sequence[float | None], window: int) -> list[float | None]:
    """After each evaluation the mean over the last ``window``, or over as many as there are.

    The first few, a quarter of a window at the most, are None: they would be noise.
    """
    few = min(window, len(fitnesses)) // 4
    means: list[float | None] = []
    total, finite = 0.0, 0
    for i, fitness in enumerate(fitnesses):
        dropped = fitnesses[i - window] if i >= window else None
        total += (fitness or 0.0) - (dropped or 0.0)
        finite += (fitness is not None) - (dropped is not None)
        means.append(total / finite if finite and i >= few else None)
    return means


def _mean(values: Sequence[float | None]) -> float | None:
    finite = [v for v in values if v is not None]
    return sum(finite) / len(finite) if finite else None


def _arm_to_draw(config: RunConfig) -> str:
    """``pathnet``, else the first arm that freezes, else the first."""
    order = sorted(config.arms, key=lambda arm: (arm.name != "pathnet", arm.transfer != "freeze"))
    return order[0].name


def _paths(db: sqlite3.Connection, config: RunConfig, arm: str) -> list[PathView]:
    freezes = any(a.name == arm and a.transfer == "freeze" for a in config.arms)
    rows = db.execute(
        "SELECT t.seed, s.* FROM stages s JOIN trials t USING (trial) "
        "WHERE t.arm = ? AND s.path IS NOT NULL ORDER BY t.seed, s.stage",
        (arm,),
    ).fetchall()
    return [
        PathView(
            arm=arm,
            seed=row["seed"],
            stage=row["stage"],
            name=row["task"],
            counts=tuple(json.loads(row["counts"])),
            path=tuple(map(tuple, json.loads(row["path"]))),
            frozen_before=tuple(map(tuple, json.loads(row["frozen_before"]))),
            freezes=freezes,
        )
        for row in rows
        if row["seed"] == rows[0]["seed"]
    ]


def _usage(db: sqlite3.Connection, arm: str) -> Iterator[Usage]:
    stages: dict[int, tuple[str, list[int]]] = {}
    for stage, task, text in db.execute(
        "SELECT s.stage, s.task, s.counts FROM stages s JOIN trials t USING (trial) "
        "WHERE t.arm = ? ORDER BY s.stage",
        (arm,),
    ):
        counts = json.loads(text)
        _, largest = stages.get(stage, (task, counts))
        stages[stage] = (task, list(map(max, largest, counts)))  # seeds grow differently
    for stage, (task, counts) in stages.items():
        used = [[0] * count for count in counts]
        total = 0
        for genotype, times in db.execute(
            "SELECT e.genotype, count(*) FROM evaluations e JOIN trials t USING (trial) "
            "WHERE t.arm = ? AND e.stage = ? GROUP BY e.genotype",
            (arm, stage),
        ):
            total += times
            for layer, modules in zip(used, distinct(json.loads(genotype)), strict=True):
                for module in modules:
                    layer[module] += times
        if total:
            shares = tuple(tuple(n / total for n in layer) for layer in used)
            yield Usage(stage, task, shares)


def _failures(db: sqlite3.Connection) -> list[Failure]:
    rows = db.execute(
        "SELECT t.arm, t.seed, s.task, e.evaluation, e.cause FROM evaluations e "
        "JOIN trials t USING (trial) JOIN stages s USING (trial, stage) "
        "WHERE e.fitness IS NULL ORDER BY e.trial, e.stage, e.evaluation LIMIT ?",
        (FAILURES_SHOWN,),
    )
    return [Failure(arm, seed, task, n, cause or "no cause") for arm, seed, task, n, cause in rows]
