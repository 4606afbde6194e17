"""Listing and removing runs."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pathnet_evo.store.lock import Lock


@pytest.fixture
def made(made_up: SimpleNamespace, command: Any) -> Path:
    """A finished run in ``runs``, and one without a summary."""
    for name in ("whole", "part"):
        folder = Path("runs", name)
        folder.mkdir(parents=True)
        made_up.two_arms(folder, [0.25, 0.125])
        (folder / "about.json").write_text("{}")
    (Path("runs") / "part" / "lock").write_text('{"host": "h", "pid": 1, "started": "then"}')
    assert command("report", "runs/whole").status == 0
    return Path("runs")


def test_runs(made: Path, command: Any) -> None:
    """A user could not see which runs there are, and what came of them."""
    (made / "notes").mkdir()
    (made / "link").symlink_to("whole")
    listed = {run["name"]: run for run in json.loads(command("runs", "--json").out)}
    assert set(listed) == {"whole", "part"}
    assert listed["whole"]["state"] == "finished"
    scores = {score["arm"]: score["mean"] for score in listed["whole"]["scores"]}
    assert scores == {"pathnet": pytest.approx(0.6875), "independent": pytest.approx(0.5)}
    assert listed["part"]["scores"] == []
    lines = command("runs").out.splitlines()
    assert any("whole" in line and "68.8 %" in line for line in lines)


def test_no_runs(command: Any) -> None:
    """An empty folder, or none, would end in a traceback."""
    assert command("runs").err == "runs: no such folder\n"
    Path("empty").mkdir()
    assert command("runs", "empty").out == "empty: no runs\n"


@pytest.mark.parametrize(("typed", "removed"), [("y\n", True), ("n\n", False), ("", False)])
def test_rm_asks(
    typed: str, removed: bool, made: Path, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of days would be gone by a slip of the finger."""
    (made / "whole" / "notes.txt").write_text("mine")
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    result = command("rm", "runs/whole")
    assert result.err.startswith("remove runs/whole (")
    assert "with notes.txt, which the run did not write? [y/N] " in result.err
    assert result.status == (0 if removed else 1)
    left = ["part"] if removed else ["part", "whole"]
    assert sorted(path.name for path in made.iterdir()) == left


def test_rm_without_a_question(made: Path, command: Any) -> None:
    """A script could not remove runs, or a killed run could not be removed."""
    result = command("rm", "--yes", "runs/whole", "runs/part/")
    assert (result.status, list(made.iterdir())) == (0, [])
    assert result.out == "runs/whole: removed\nruns/part: removed\n"


def check_in_use(command: Any, removed: str, held: str) -> None:
    """What is held cannot be removed, and neither can what it is part of."""
    lock = Lock(Path(held))
    try:
        result = command("rm", "-y", removed)
    finally:
        lock.release()
    assert result.status == 2
    assert result.err.startswith(f"{held}: in use by process ")


def test_rm_refuses(made: Path, command: Any) -> None:
    """Something else than a run would be removed, or a run under its writer's hands."""
    (made / "link").symlink_to("whole")
    (made / "other").mkdir()
    (made / "other" / "run.toml").write_text("")
    shutil.copytree(made / "part", made / "linked")
    (made / "linked" / "lineage.sqlite").unlink()
    (made / "linked" / "lineage.sqlite").symlink_to("../whole/lineage.sqlite")
    for run, line in {
        "runs/link": "runs/link: a link; name the run that it leads to\n",
        "runs/other": "runs/other: not a run's folder (it has no file about.json)\n",
        "runs/none": "runs/none: no such run\n",
        "runs": "runs: not a run's folder (it has no file run.toml)\n",
        "runs/whole/run.toml": "runs/whole/run.toml: no such run\n",
    }.items():
        result = command("rm", "-y", "runs/part", run)
        assert (result.status, result.err) == (2, line)
    assert "a link" in command("rm", "-y", "runs/linked").err
    check_in_use(command, "runs/whole", held="runs/whole")
    assert {path.name for path in made.iterdir()} == {"whole", "part", "link", "other", "linked"}


MATRIX = """
sources = 2
[[stages]]
name = "a"
task = "digits"
[[stages]]
name = "b"
task = "digits"
[[stages]]
name = "c"
task = "digits"
"""
SWEEP = """
[sweep]
trials = 2
[learner]
name = "sgd"
learning_rate = {low = 0.1, high = 0.2}
[[stages]]
task = "digits"
"""


@pytest.fixture
def series(made: Path) -> Path:
    """A matrix of two runs and a sweep with one of its two trials, in ``runs``."""
    results = {
        "grid/matrix.toml": MATRIX,
        "grid/matrix.json": json.dumps({"arms": {"pathnet": {"mean": 1.25}}}),
        "search/sweep.toml": SWEEP,
        "search/sweep.json": json.dumps(
            {
                "target": {"arm": "pathnet", "stage": 0, "score": "validation"},
                "trials": [{"trial": 0, "score": 0.5}],
                "best": 0,
            }
        ),
        "search/study.sqlite": "",
    }
    for name in ("grid/a-c", "grid/b-c", "search/trial-0"):
        shutil.copytree(made / "whole", made / name)
    for name, text in results.items():
        (made / name).write_text(text)
    return made


def test_series_are_listed(series: Path, command: Any) -> None:
    """A night's matrix or sweep would not be among the runs."""
    (series / "linked").symlink_to("grid")
    listed = {run["name"]: run for run in json.loads(command("runs", "--json").out)}
    assert set(listed) == {"whole", "part", "grid", "search"}
    assert (listed["grid"]["state"], listed["grid"]["share"]) == ("finished", 1)
    assert (listed["search"]["state"], listed["search"]["share"]) == ("interrupted", 0.5)
    assert listed["search"]["what"] == "sweep: 1 of 2 runs"
    lines = command("runs").out.splitlines()
    assert any("grid" in line and "pathnet 1.25\N{MULTIPLICATION SIGN}" in line for line in lines)
    assert any("search" in line and "pathnet 0.5" in line for line in lines)
    (series / "grid/matrix.toml").write_text("sources = ")
    (series / "search/sweep.json").write_text("[]")
    listed = {run["name"]: run for run in json.loads(command("runs", "--json").out)}
    assert listed["grid"]["state"] == "unreadable"
    assert listed["search"]["scores"] == []


def test_rm_removes_series(series: Path, command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of a matrix's many runs would have to be removed by itself, and its folder by hand."""
    (series / "grid/notes.txt").write_text("mine")
    (series / "grid/a-c/more.txt").write_text("mine")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    asked = command("rm", "runs/grid").err
    assert asked.startswith("remove runs/grid (2 runs, ")
    assert "with a-c/more.txt, notes.txt, which the run did not write?" in asked
    result = command("rm", "-y", "runs/grid", "runs/search")
    assert (result.status, result.err) == (0, "")
    assert sorted(path.name for path in series.iterdir()) == ["part", "whole"]


def test_rm_refuses_a_folder_of_somebody_else(made: Path, command: Any) -> None:
    """A project would be gone for a file of its own that is called as those of a sweep are."""
    for name, text in {"sweep.toml": SWEEP, "matrix.toml": MATRIX, "matrix.json": "{}"}.items():
        folder = made / Path(name).stem
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (made / "sweep/thesis.tex").write_text("mine")
    (made / "matrix/matrix.toml").write_text("rows = 3")
    for name in ("sweep", "matrix"):
        result = command("rm", "-y", f"runs/{name}")
        assert (result.status, result.out) == (2, "")
    assert (made / "sweep/thesis.tex").exists()
    assert (made / "matrix/matrix.json").exists()


def test_runs_beside_folders_that_nobody_may_enter(
    made: Path, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk's own lost+found would end the list in a traceback."""
    (made / "lost+found").mkdir()
    inspected = Path.lstat

    def lstat(path: Path) -> Any:
        if path.parent.name == "lost+found":
            raise PermissionError(13, "Permission denied", str(path))
        return inspected(path)

    monkeypatch.setattr(Path, "lstat", lstat)
    listed = json.loads(command("runs", "--json").out)
    assert {run["name"] for run in listed} == {"whole", "part"}


def test_rm_refuses_a_series_in_use(series: Path, command: Any) -> None:
    """The runs of a matrix that is under way would be removed under its hands."""
    check_in_use(command, "runs/grid", held="runs/grid/b-c")
    (series / "search/trial-0/about.json").unlink()
    assert "runs/search/trial-0: not a run's folder" in command("rm", "-y", "runs/search").err
    assert (series / "grid/a-c/lineage.sqlite").exists()
