"""Reading a run for its report, finished or not."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pathnet_evo.analysis.arms import shown_arm
from pathnet_evo.analysis.statistics import SHARE, Range, extent, score_range
from pathnet_evo.analysis.summary import summarise
from pathnet_evo.core.genotype import Path as ModulePath
from pathnet_evo.interfaces.summary import StageSummary, Summary
from pathnet_evo.report.data.beginnings import Begun, read_beginnings
from pathnet_evo.report.data.history import read_history
from pathnet_evo.report.data.lines import Curve, Line, curve
from pathnet_evo.report.data.pictured import PicturedStage, read_pictured
from pathnet_evo.report.data.stages import StageView
from pathnet_evo.setup.config import RunConfig
from pathnet_evo.store.cells import number
from pathnet_evo.store.reading import config_text, read_config, reading

FAILURES_SHOWN = 50


@dataclass(frozen=True)
class Usage:
    """How often an arm's evaluations of a stage used each module, over all seeds.

    Args:
        arm: whose it is.
        stage: index in the sequence.
        name: the stage's name.
        shares: for each layer, for each module the share of evaluations.
    """

    arm: str
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
class ReportData:
    """A run as its report shows it.

    Args:
        folder: where it lies.
        toml: its configuration as text.
        config: its configuration.
        summary: what came out.
        shown: the arm whose figures are shown first.
        views: every stage of every trial that has begun, by trial and stage.
        failures: the first evaluations that failed.
        n_failures: how many there are.
        beginnings: how stages that are not the first began, by arm and stage.
        pictured: pictures of stages, and which of them the network mistakes.
    """

    folder: Path
    toml: str
    config: RunConfig
    summary: Summary
    shown: str
    views: list[StageView]
    failures: list[Failure]
    n_failures: int
    beginnings: list[Begun]
    pictured: list[PicturedStage] = field(default_factory=list)

    @property
    def arms(self) -> list[str]:
        """The names of the arms, in the order configured."""
        return list(self.summary["arms"])

    @property
    def stages(self) -> list[StageSummary]:
        """What the summary says of each stage."""
        stages = self.summary["stages"]
        assert isinstance(stages, list)
        return stages

    @property
    def paths(self) -> list[StageView]:
        """The finished stages of the shown arm's first seed that has any."""
        done = [v for v in self.views if v.arm == self.shown and v.history.path is not None]
        first = min((view.seed for view in done), default=None)
        return [view for view in done if view.seed == first]

    @cached_property
    def usage(self) -> list[Usage]:
        """Use of modules by arm and stage; none where nothing was evaluated yet."""
        found = (self._usage(arm, i) for arm in self.arms for i in range(len(self.stages)))
        return [usage for usage in found if usage is not None]

    @cached_property
    def fitness_ranges(self) -> list[Range]:
        """What fitnesses and smoothed scores can be, stage by stage."""
        found = []
        for i, stage in enumerate(self.stages):
            played = (view.history.episodes for view in self.views if view.stage == i)
            returned = extent(score for episodes in played for _, score in episodes)
            found.append(score_range(stage["fitness_name"] or "", returned))
        return found

    def of(self, arm: str, stage: int) -> list[StageView]:
        """A stage of an arm, seed by seed."""
        return [view for view in self.views if (view.arm, view.stage) == (arm, stage)]

    def curve(self, arm: str, stage: int) -> Curve:
        """An arm's learning curve on a stage; empty where it has none."""
        lines = {view.seed: view.line() for view in self.of(arm, stage)}
        return curve(lines, self.fitness_ranges[stage])

    def overlap(self, arm: str, stage: int) -> Curve:
        """The population's overlap with frozen modules on a stage; empty where none are."""
        views = (view for view in self.of(arm, stage) if view.overlap_chance)
        return curve({view.seed: view.overlap for view in views}, SHARE)

    def _usage(self, arm: str, stage: int) -> Usage | None:
        views = [view for view in self.of(arm, stage) if view.history.told]
        total = sum(len(view.history.told) for view in views)
        if not total:
            return None
        counts = [max(layer) for layer in zip(*(view.counts for view in views), strict=True)]
        used = [[0] * count for count in counts]
        for view in views:
            for layer, times in zip(used, view.history.uses(), strict=True):
                for module, n in enumerate(times):
                    layer[module] += n
        shares = tuple(tuple(n / total for n in layer) for layer in used)
        return Usage(arm, stage, views[0].name, shares)


def read_report_data(
    folder: Path, summary: Summary | None = None, digested: bool = True
) -> ReportData:
    """Read all that a report shows.

    Args:
        folder: the run's folder.
        summary: the run's summary; None computes it.
        digested: read the lineage's digest as well, which takes most of the time.

    Raises:
        RunError: no such run.
        ConfigError: ``run.toml`` is damaged.
        LineageError: ``lineage.sqlite`` is damaged.
    """
    config = read_config(folder)
    if summary is None:
        summary = summarise(folder, digested=digested)
    with reading(folder) as db:
        (n_failures,) = db.execute(
            "SELECT count(*) FROM evaluations WHERE fitness IS NULL"
        ).fetchone()
        return ReportData(
            folder=folder,
            toml=config_text(folder),
            config=config,
            summary=summary,
            shown=shown_arm(config),
            views=list(_views(db, config)),
            failures=_failures(db),
            n_failures=n_failures,
            beginnings=read_beginnings(db, len(config.stages)),
            pictured=[p for p in read_pictured(folder) if p.stage < len(config.stages)],
        )


def _views(db: sqlite3.Connection, config: RunConfig) -> Iterator[StageView]:
    arms = {arm.name for arm in config.arms}
    freezing = {arm.name for arm in config.arms if arm.may_freeze}
    rows = db.execute(
        "SELECT t.trial, t.arm, t.seed, s.stage, s.task FROM trials t "
        "JOIN stages s USING (trial) ORDER BY t.trial, s.stage"
    ).fetchall()
    frozen: dict[int, tuple[ModulePath, ...]] = {}
    for row in rows:
        if not 0 <= row["stage"] < len(config.stages):
            raise ValueError(f"stage {row['stage']} of {len(config.stages)}")
        if row["arm"] not in arms:
            raise ValueError(f"an arm {row['arm']!r} that is not configured")
        history = read_history(db, row["trial"], row["stage"])
        earlier = frozen.get(row["trial"], ())
        overlap, chance = _overlap(db, row["trial"], row["stage"])
        freezes = row["arm"] in freezing
        yield StageView(
            row["arm"], row["seed"], row["task"], freezes, history, earlier, overlap, chance
        )
        if freezes and history.path is not None:
            frozen[row["trial"]] = (*earlier, history.path)


def _overlap(db: sqlite3.Connection, trial: int, stage: int) -> tuple[Line, float | None]:
    measured: list[tuple[int, Mapping[str, float]]] = [
        (evaluations, json.loads(text))
        for evaluations, text in db.execute(
            "SELECT evaluations, diversity FROM generations WHERE trial = ? AND stage = ? "
            "AND diversity IS NOT NULL ORDER BY generation",
            (trial, stage),
        )
    ]
    values = [number(found["frozen_overlap"]) for _, found in measured]
    chance = number(measured[0][1]["frozen_overlap_chance"]) if measured else None
    return ([n for n, _ in measured], values), chance


def _failures(db: sqlite3.Connection) -> list[Failure]:
    rows = db.execute(
        "SELECT t.arm, t.seed, s.task, e.evaluation, e.cause FROM evaluations e "
        "JOIN trials t USING (trial) JOIN stages s USING (trial, stage) "
        "WHERE e.fitness IS NULL ORDER BY e.trial, e.stage, e.evaluation LIMIT ?",
        (FAILURES_SHOWN,),
    )
    return [Failure(arm, seed, task, n, cause or "no cause") for arm, seed, task, n, cause in rows]
