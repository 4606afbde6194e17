"""A run's results as data frames and files, compared with what its lineage holds."""

from __future__ import annotations

import json
import math
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from pathnet_evo.analysis import tidy
from pathnet_evo.errors import UserError
from pathnet_evo.interfaces.records import Evaluated, TrialStarted
from pathnet_evo.report.data import read_report_data
from pathnet_evo.running import table_files
from pathnet_evo.running.loading import Run, load_run
from pathnet_evo.store.reading import RunError

FRAMES = ("to_frame", "evaluations", "generations", "replacements", "episodes", "curves", "scores")
DOCS = Path(__file__).parents[2] / "docs" / "reference" / "data-frames.md"


@pytest.fixture
def run(tmp_path: Path, made_up: SimpleNamespace) -> Run:
    """Two arms, two seeds, two stages; the first evaluation of each trial failed."""
    folder = tmp_path / "runs" / "made-up"
    folder.mkdir(parents=True)
    made_up.two_arms(folder, [0.1, 0.2])
    return load_run(folder)


def rows(run: Run, query: str) -> list[tuple[Any, ...]]:
    """What a query finds in a run's lineage."""
    with closing(sqlite3.connect(run.folder / "lineage.sqlite")) as db:
        return db.execute(query).fetchall()


def test_every_row_of_the_lineage_is_there(run: Run) -> None:
    """A plot of one's own would leave evaluations out, or count them twice."""
    for name, query in (
        ("evaluations", "SELECT count(*) FROM evaluations"),
        ("generations", "SELECT count(*) FROM generations"),
        ("replacements", "SELECT count(*) FROM events WHERE kind = 'replacement'"),
        ("to_frame", "SELECT count(*) FROM stages"),
    ):
        assert len(getattr(run, name)()) == rows(run, query)[0][0] > 0, name


def test_evaluations(run: Run) -> None:
    """A column would hold what another says, or a failure would be a fitness of zero."""
    found = run.evaluations()
    one = found[(found.arm == "independent") & (found.seed == 1) & (found.stage == 0)]
    wanted = rows(
        run,
        "SELECT evaluation, generation, candidate, place, fitness, state, examples, genotype "
        "FROM evaluations WHERE trial = 3 AND stage = 0 ORDER BY evaluation",
    )
    for row, (number, generation, candidate, slot, fitness, state, examples, genotype) in zip(
        one.itertuples(), wanted, strict=True
    ):
        assert (row.evaluation, row.generation, row.candidate) == (number, generation, candidate)
        assert (row.slot, row.state, row.examples) == (slot, state, examples)
        assert [*map(list, row.genotype)] == json.loads(genotype)
        assert pd.isna(row.fitness) if fitness is None else row.fitness == fitness
    assert one.cause.iloc[0] == "the <loss> is not finite"
    assert one.parent.isna().all()
    assert (one.name == run.stages[0]).all()


def test_scores_and_quick_look(run: Run) -> None:
    """Forgetting could not be computed, or a score would be that of another stage."""
    scores = run.scores()
    mine = scores[(scores.arm == "pathnet") & (scores.seed == 1)]
    assert mine[["stage", "after", "score", "value"]].to_numpy().tolist() == [
        [0, 0, "test_accuracy", 0.75],
        [0, 1, "test_accuracy", 0.75],
        [1, 1, "test_accuracy", 0.7],
    ]
    look = run.to_frame()
    last = look[(look.arm == "pathnet") & (look.seed == 1) & (look.stage == 1)].iloc[0]
    assert (last["state"], last["evaluations"], last["seconds"]) == ("finished", 40, 1.0)
    assert last["path"] == ((1, 2), (0, 3))
    assert (last["path/reused"], last["pool/frozen"]) == (0.5, 4)
    assert last["score/test_accuracy"] == 0.7


def test_curves_are_the_reports(run: Run) -> None:
    """A figure of one's own would show another curve than the report."""
    curves = run.curves()
    for view in read_report_data(run.folder, digested=False).views:
        here = curves[
            (curves.arm == view.arm) & (curves.seed == view.seed) & (curves.stage == view.stage)
        ]
        used, values = view.line()
        assert here.used.tolist() == [*used]
        drawn = [math.nan if value is None else value for value in values]
        assert here.value.tolist() == pytest.approx(drawn, nan_ok=True)
        assert set(here.unit) == {"evaluations"}


def test_replacements(run: Run) -> None:
    """Who overwrote whom could not be followed."""
    first = run.replacements().iloc[0]
    assert (first.evaluation, first.winner, first.loser, first.parent) == (1, 0, 1, 1)
    assert first.changes == ((0, 0, 0, 3),)


def test_episodes_and_unfinished_stages(tmp_path: Path, made_up: SimpleNamespace) -> None:
    """A game that is being learned could not be looked at."""
    made_up.toml(tmp_path, 1, ["pathnet"], stages=1)
    made_up.lineage(tmp_path, made_up.episodes(0), closed=False)
    run = load_run(tmp_path)
    episodes = run.episodes()
    assert episodes.score.tolist() == [float(n) for n in range(40)]
    assert (episodes["at"].iloc[0], episodes["frames"].iloc[0]) == (20, 10)
    look = run.to_frame().iloc[0]
    assert look["state"] == "running"
    assert pd.isna(look["fitness"])
    assert set(run.curves().unit) == {"frames"}


def test_metrics_have_columns_of_their_own(tmp_path: Path, made_up: SimpleNamespace) -> None:
    """A learner's metric called like a column would replace it; infinity would become nothing."""
    made_up.toml(tmp_path, 1, ["pathnet"], stages=1)
    records = made_up.stage(0, 0, [0.25, 0.5, 0.75, 1.0], None)
    metrics = ({"loss": 1.0, "seed": 7.0}, {"loss": 3.0}, {}, {"loss": float("inf")})
    given = iter(metrics)
    told = [
        replace(r, evaluation=replace(r.evaluation, metrics=next(given)))
        if isinstance(r, Evaluated)
        else r
        for r in records
    ]
    made_up.lineage(tmp_path, [TrialStarted(0, "pathnet", 0), *told])
    run = load_run(tmp_path)
    evaluations, generations = run.evaluations(), run.generations()
    assert evaluations.seed.tolist() == [0] * 4
    assert evaluations["metric/seed"].iloc[0] == 7
    assert evaluations.loss.iloc[3] == float("inf")
    assert generations.loss.tolist() == [2.0, float("inf")]
    assert generations["fitness/best"].tolist() == [0.5, 1.0]
    assert generations["population/frozen_overlap"].tolist() == [0.5, 0.5]


def test_a_run_that_has_not_begun_has_every_column(
    tmp_path: Path, made_up: SimpleNamespace
) -> None:
    """A script would fail at a missing column instead of finding no rows."""
    made_up.toml(tmp_path, 1, ["pathnet"])
    made_up.lineage(tmp_path, [])
    run = load_run(tmp_path)
    for name in FRAMES:
        columns = tidy.STAGES if name == "to_frame" else getattr(tidy, name.upper())
        frame = getattr(run, name)()
        assert list(frame.columns) == list(columns)
        assert len(frame) == 0


def test_every_column_is_documented() -> None:
    """A reader would have to guess what a column holds, and in which unit."""
    text = DOCS.read_text()
    for name in FRAMES:
        columns = tidy.STAGES if name == "to_frame" else getattr(tidy, name.upper())
        section = text.split(f"## `{name}", 1)[1].split("\n## ", 1)[0]
        for column in columns:
            assert f"`{column}`" in (text if column in tidy.TRIAL else section), (name, column)


@pytest.mark.parametrize("name", FRAMES)
def test_a_damaged_run_is_refused_in_one_line(run: Run, name: str) -> None:
    """Somebody else's lineage would end in a traceback, or in wrong numbers."""
    with closing(sqlite3.connect(run.folder / "lineage.sqlite")) as db:
        db.execute("UPDATE stages SET counts = '[1,1]', scores = '[]'")
        db.execute("UPDATE generations SET diversity = '[]'")
        db.execute("UPDATE events SET data = '{}'")
        db.execute("UPDATE episodes SET score = 'x'")
        if name == "episodes":
            db.execute("PRAGMA foreign_keys=OFF")
            db.execute("INSERT INTO episodes VALUES (0, 0, 0, 0, 0, 'x', 1, 1)")
        db.commit()
    with pytest.raises(RunError, match="damaged|not a readable") as error:
        getattr(run, name)()
    assert "\n" not in str(error.value)


def test_a_missing_package_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pandas there would be a traceback that does not say what to install."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    for name in FRAMES:
        with pytest.raises(UserError, match=r"pip install 'pathnet-evo\[pandas\]'"):
            getattr(run, name)()


def test_parquet_needs_its_package(
    run: Run, command: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A folder of nothing would be left, with a traceback."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"Parquet files need pyarrow, which is not installed"):
        table_files.write_tables(run, tmp_path / "new", "parquet")
    both = ("--csv", str(tmp_path / "csv"), "--parquet", str(tmp_path / "new"))
    done = command("export", str(run.folder), *both)
    assert (done.status, done.out) == (2, "")
    assert not {"new", "csv"} & {path.name for path in tmp_path.iterdir()}


def test_shown_in_a_notebook(run: Run) -> None:
    """A stage's name would be markup in a notebook, and a run would fill the screen."""
    assert "\n" not in repr(run)
    assert repr(run).startswith(f"<Run {run.folder}: pathnet, independent; 2 seeds; ")
    shown = run._repr_html_()
    assert "<script" not in shown
    assert "1. &lt;script&gt;alert(1)&lt;/script&gt; $x_" in shown
    assert "65.0 %" in shown
    (run.folder / "run.toml").write_text("<b>")
    changed = Run(run.folder, run.config, run.stages)._repr_html_()
    assert "run.toml: not TOML" in changed
    assert "<b>" not in changed


# Files ------------------------------------------------------------------------------------


def test_files_hold_what_frames_hold(run: Run, command: Callable[..., Any], tmp_path: Path) -> None:
    """Numbers would lose digits on their way to R, or genotypes could not be read there."""
    done = command("export", str(run.folder), "--csv", "a/csv", "--parquet", "parquet")
    assert done.status == 0, done.err
    assert len(done.out.splitlines()) == 14
    for name, table in table_files.TABLES.items():
        frame = table(run)
        csv = pd.read_csv(tmp_path / "a" / "csv" / f"{name}.csv")
        whole = pd.read_parquet(tmp_path / "parquet" / f"{name}.parquet")
        assert list(csv.columns) == list(whole.columns) == list(frame.columns)
        for column in frame.columns:
            if frame[column].dtype != object:
                assert whole[column].equals(frame[column]), (name, column)
        if "fitness" in frame:
            assert csv.fitness.equals(frame.fitness)
    csv = pd.read_csv(tmp_path / "a" / "csv" / "evaluations.csv")
    genotypes = [tuple(map(tuple, json.loads(text))) for text in csv.genotype]
    assert genotypes == run.evaluations().genotype.tolist()


def test_nothing_half_written_is_left(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A full disk would leave some tables of this run among those of another."""
    calls: list[Any] = []
    real = pd.DataFrame.to_csv

    def full(frame: pd.DataFrame, path: Path, **options: Any) -> None:
        calls.append(path)
        if len(calls) % 3 == 0:
            raise OSError(28, "No space left on device", str(path))
        real(frame, path, **options)

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    old = tmp_path / "old"
    old.mkdir()
    (old / "stages.csv").write_text("other")
    for folder in (old, tmp_path / "new"):
        with pytest.raises(UserError, match="cannot be written \\(No space left"):
            table_files.write_tables(run, folder, "csv")
    assert [path.name for path in old.iterdir()] == ["stages.csv"]
    assert (old / "stages.csv").read_text() == "other"
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "say what: --csv DIR"),
        (("--csv", "file"), "file: cannot be written (File exists)"),
    ],
)
def test_what_cannot_be_exported(
    run: Run, command: Callable[..., Any], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    """A mistake would end in a traceback."""
    (tmp_path / "file").write_text("")
    done = command("export", str(run.folder), *arguments)
    assert done.status == 2
    assert message in done.err
    assert len(done.err.splitlines()) == 1
