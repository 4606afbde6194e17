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
    lock = Lock(made / "whole")
    try:
        result = command("rm", "-y", "runs/whole")
    finally:
        lock.release()
    assert result.status == 2
    assert result.err.startswith("runs/whole: in use by process ")
    assert {path.name for path in made.iterdir()} == {"whole", "part", "link", "other", "linked"}
