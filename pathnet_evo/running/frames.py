"""A run's results as pandas data frames, read from its lineage."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pathnet_evo.analysis import tidy
from pathnet_evo.report.data import read_report_data
from pathnet_evo.setup.problems import ConfigError
from pathnet_evo.store.lineage import LineageError
from pathnet_evo.store.reading import RunError, reading
from pathnet_evo.system.extras import required

if TYPE_CHECKING:
    from pandas import DataFrame


class Frames:
    """The results of a run as data frames; every row says its arm, seed, stage and stage's name.

    Stages are counted from 0. What is missing is NaN, and non-finite numbers stay as they are.
    Metrics have the names that trackers have (``fitness/best``, ``loss``).
    """

    folder: Path
    stages: tuple[str, ...]

    def to_frame(self) -> DataFrame:
        """One row per stage of a trial, with its scores right after it as ``score/NAME``."""
        return _read(self.folder, ("stage_times",), tidy.stages, tidy.STAGES)

    def evaluations(self) -> DataFrame:
        """One row per evaluation, in order, with the learner's metrics in columns of their own."""
        return _read(self.folder, ("evaluations", "times"), tidy.evaluations, tidy.EVALUATIONS)

    def generations(self) -> DataFrame:
        """One row per generation: fitness, diversity, and means of the learner's metrics."""
        return _read(
            self.folder, ("evaluations", "generations"), tidy.generations, tidy.GENERATIONS
        )

    def replacements(self) -> DataFrame:
        """One row per genotype that overwrote another.

        ``changes`` has ``(layer, gene, before, after)`` of each gene that differs from its parent.
        """
        return _read(self.folder, ("events",), tidy.replacements, tidy.REPLACEMENTS)

    def episodes(self) -> DataFrame:
        """One row per episode that ended in training; ``at`` counts the stage's frames by then."""
        return _read(self.folder, ("episodes",), tidy.episodes, tidy.EPISODES)

    def scores(self) -> DataFrame:
        """One row per test score: of the stage ``stage``, right after the stage ``after``."""
        return _read(self.folder, (), lambda db: tidy.scores(db, self.stages), tidy.SCORES)

    def curves(self) -> DataFrame:
        """One row per point of a smoothed learning curve, as in the report."""
        required("data frames need", "pandas")
        try:
            views = read_report_data(self.folder, digested=False).views
        except (ConfigError, LineageError) as error:
            raise RunError(str(error)) from None
        rows = (
            {
                **tidy.place(view.arm, view.seed, view.stage, view.name),
                "unit": view.counted,
                "used": used,
                "value": value,
            }
            for view in views
            for used, value in zip(*view.line(), strict=True)
        )
        return _frame(rows, tidy.CURVES)


def _read(
    folder: Path,
    tables: Collection[str],
    rows: Callable[[sqlite3.Connection], Iterable[dict[str, Any]]],
    columns: Mapping[str, Any],
) -> DataFrame:
    """Rows of some tables of a run.

    Raises:
        RunError: the lineage is damaged.
    """
    required("data frames need", "pandas")
    try:
        with reading(folder, ("trials", "stages", *tables)) as db:
            return _frame(rows(db), columns)
    except LineageError as error:
        raise RunError(str(error)) from None


def _frame(rows: Iterable[dict[str, Any]], columns: Mapping[str, Any]) -> DataFrame:
    """Rows as a data frame, further columns last; without rows it has the columns too."""
    pandas = required("data frames need", "pandas")
    found = [*rows]
    further = dict.fromkeys(name for row in found for name in row if name not in columns)
    kinds = {**columns, **dict.fromkeys(further, "float64")}
    return pandas.DataFrame(
        {
            name: pandas.Series([row.get(name) for row in found], dtype=kind)
            for name, kind in kinds.items()
        }
    )
