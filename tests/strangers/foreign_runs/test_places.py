"""What state a run is said to be in, and which places on the disk are touched for it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import pathnet_evo
from pathnet_evo.analysis.comparison import compare_runs
from pathnet_evo.analysis.summary import summarise
from pathnet_evo.interfaces.records import Checkpointed
from pathnet_evo.store.lock import Lock
from pathnet_evo.store.places import PlaceError, checkpoint_folder, remove_checkpoint
from pathnet_evo.watch.reader import read_content
from pathnet_evo.watch.runs import RunsFolder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def states(command: Any, folder: Path, runs: RunsFolder) -> set[str]:
    """What every reader says that a run's state is."""
    (entry,) = runs.entries()
    (compared,) = compare_runs([folder])["runs"]
    checked = command("check", str(folder)).out.rpartition("state: ")[2].strip()
    page, _ = read_content(folder)
    (shown,) = (s for s in ("running", "killed") if f'class="state {s}"' in page)
    return {entry.state, compared["state"], checked, shown, summarise(folder)["state"]}


def test_a_running_run_is_called_running_by_everybody(
    command: Any, tmp_path: Path, made_up: SimpleNamespace
) -> None:
    """The list of runs and comparisons would call a run killed that is at work."""
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    made_up.toml(folder, 1, ["pathnet"])
    records = [made_up.started(0), *made_up.stage(0, 0, [0.1, 0.2], None)]
    lineage = made_up.lineage(folder, records, closed=False)
    runs = RunsFolder(tmp_path / "runs")
    lock = Lock(folder)
    assert states(command, folder, runs) == {"running"}
    written = (folder / "lock").read_text()
    lock.release()
    (folder / "lock").write_text(written)  # as a killed process leaves it
    assert states(command, folder, runs) == {"killed"}
    lineage.close()


@pytest.fixture
def interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: list[str]) -> Path:
    """A real run that was killed in its second stage, and can be resumed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def heard(record: Any) -> None:
        if isinstance(record, Checkpointed) and record.stage == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pathnet_evo.launch("digits", tiny, name="run", runs_dir=tmp_path / "runs", on_record=heard)
    return tmp_path / "runs" / "run"


def test_resuming_a_run_whose_lineage_names_other_folders(command: Any, interrupted: Path) -> None:
    """The issue's own case: ``resume`` would remove any folder that a foreign lineage names."""
    victim = interrupted.parents[1] / "victim"
    victim.mkdir()
    (victim / "thesis.tex").write_text("three years")
    (interrupted / "notes").mkdir()
    (interrupted / "checkpoints" / "linked").symlink_to(victim)
    over = "checkpoints/pathnet-0/stage-0"
    named = ["../../victim", str(victim), "notes", "checkpoints/pathnet-0/../../../../victim",
             "checkpoints", ".", over]  # fmt: skip
    (interrupted / "checkpoints" / "linked").unlink()
    with closing(sqlite3.connect(interrupted / "lineage.sqlite")) as db:
        rows = [(-i, 0, 0, place, "0" * 64) for i, place in enumerate(named)]
        db.executemany("INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?)", rows)
        db.commit()
    ended = command("resume", str(interrupted))
    assert (ended.status, "Traceback" in ended.err) == (0, False)
    assert (victim / "thesis.tex").read_text() == "three years"
    assert (interrupted / "notes").is_dir()
    assert (interrupted / over / "MANIFEST.json").is_file()
    assert not list((interrupted / "checkpoints/pathnet-0").glob("stage-*-round-*"))


@pytest.mark.parametrize(
    "named",
    ["../../victim", "/victim", ".", "", "checkpoints", "checkpoints/pathnet-0", "a/b/stage-0",
     "checkpoints/pathnet-0/../../../victim/x/stage-0", "checkpoints/pathnet-0/other",
     "checkpoints/linked-0/stage-0", "checkpoints/pathnet-0/stage-1", "checkpoints/pathnet-0/\0"],
)  # fmt: skip
def test_no_place_outside_a_trials_own_checkpoints(tmp_path: Path, named: str) -> None:
    """Something else would be read, overwritten or removed as a checkpoint."""
    run, victim = tmp_path / "run", tmp_path / "victim"
    (victim / "stage-0").mkdir(parents=True)
    (run / "checkpoints/pathnet-0").mkdir(parents=True)
    (run / "checkpoints/linked-0").symlink_to(victim)
    (run / "checkpoints/pathnet-0/stage-1").symlink_to(victim)
    before = sorted(tmp_path.rglob("*"))
    for home in (None, "checkpoints/pathnet-0"):
        with pytest.raises(PlaceError):
            checkpoint_folder(run, named, home)
    with pytest.raises(PlaceError):
        remove_checkpoint(run, named, "checkpoints/pathnet-0")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "place",
    ["lock", "summary.json", "report.html", "pictures.json", "about.json", "run.toml",
     "lineage.sqlite", "lineage.sqlite-wal", "figures", "figures/scores-0.png", "tensorboard",
     "tensorboard/pathnet-0", "checkpoints", "checkpoints/pathnet-0"],
)  # fmt: skip
def test_links_in_a_foreign_run(command: Any, foreign: Path, tmp_path: Path, place: str) -> None:
    """Writing to somebody's run would follow its links, to any file or folder of ours."""
    outside = tmp_path / "outside"
    outside.mkdir()
    inside = foreign / place
    inside.parent.mkdir(exist_ok=True)
    target = outside / inside.name
    if inside.exists():
        inside.rename(target)
    elif "." in place or place == "lock":
        target.write_text("precious")
    else:
        target.mkdir()
    inside.symlink_to(target)
    kept = {p: p.is_file() and p.read_bytes() for p in outside.rglob("*")}
    for arguments in (["resume"], ["report", "--figures", "png"], ["check", "--put-back"]):
        ended = command(arguments[0], str(foreign), *arguments[1:])
        assert (ended.status, ended.err.count("\n")) == (2, 1)
        if arguments != ["check", "--put-back"]:
            assert ended.err.startswith(f"{inside}: a link")
    assert {p: p.is_file() and p.read_bytes() for p in outside.rglob("*")} == kept


@pytest.mark.parametrize("name", ["run.toml", "about.json", "lock", "lineage.sqlite-wal"])
def test_a_pipe_in_place_of_a_file(command: Any, foreign: Path, name: str) -> None:
    """Reading would wait for ever for somebody who writes."""
    (foreign / name).unlink(missing_ok=True)
    os.mkfifo(foreign / name)
    for other in ("check", "report", "compare", "resume"):
        ended = command(other, str(foreign))
        assert ended.err.count("\n") <= 1
        unread = name == "lock" or (name, other) == ("about.json", "compare")
        assert ended.status in ((0, 1, 2) if unread else (1, 2))


def test_a_matrix_that_names_a_folder_of_ours(command: Any, tmp_path: Path) -> None:
    """``resume`` would remove a project that happens to be called as a run of a foreign matrix."""
    project = tmp_path / "my-project"
    project.mkdir()
    (project / "thesis.tex").write_text("three years")
    stages = "".join(f'[[stages]]\nname = "{n}"\ntask = "digits"\n' for n in ("my", "project"))
    (tmp_path / "matrix.toml").write_text(f"sources = 1\n{stages}")
    ended = command("resume", str(tmp_path))
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert "thesis.tex; move it away" in ended.err
    assert (project / "thesis.tex").read_text() == "three years"
