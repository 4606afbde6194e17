"""Runs whose checkpoints are gone: results that stand, stay."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pathnet_evo
from pathnet_evo.interfaces.records import Checkpointed
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.store.checkpoint import CheckpointError
from pathnet_evo.store.lineage import Lineage
from pathnet_evo.store.reading import RunError
from pathnet_evo.store.resuming import start_again

TINY = [
    "arms=['pathnet']",
    "pool={modules=8, width=2, layers=[{kind='linear', units=3, repeat=2}]}",
    "strategy.population=4",
    "learner.n_batches=2",
    "stages.*.generations=3",
    "stages.*.task.copies=1",
    "checkpoints.evaluations=3",
]


def content(run: Path) -> dict[str, Any]:
    """All that a resumed run could lose of its results, and its configuration."""
    with closing(sqlite3.connect(run / "lineage.sqlite")) as db:
        tables = ("trials", "stages", "evaluations", "generations", "checkpoints", "configurations")
        rows = {table: db.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
    return {**rows, "run.toml": (run / "run.toml").read_text()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of one seed."""
    home = tmp_path_factory.mktemp("finished")
    pathnet_evo.launch("digits", [*TINY, "seeds=1"], name="run", runs_dir=home)
    return home / "run"


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run, stopped in its second stage."""

    def stop(record: Any) -> None:
        if isinstance(record, Checkpointed) and record.stage == 1:
            raise KeyboardInterrupt

    home = tmp_path_factory.mktemp("stopped")
    with pytest.raises(KeyboardInterrupt):
        pathnet_evo.launch("digits", [*TINY, "seeds=1"], name="run", runs_dir=home, on_record=stop)
    return home / "run"


@pytest.fixture
def copied(tmp_path: Path) -> Any:
    """A copy of a run that a test may damage."""
    return lambda run: Path(shutil.copytree(run, tmp_path / "copy"))


def test_results_outlive_checkpoints(finished: Path, copied: Any, tmp_path: Path) -> None:
    """Who removes checkpoints to save disk and adds seeds later would lose all results."""
    run = copied(finished)
    shutil.rmtree(run / "checkpoints")
    before, said = content(run), list[str]()
    pathnet_evo.resume(run, say=said.append)
    assert content(run) == before
    (line,) = said
    assert line.startswith("pathnet, seed 0: finished, so the results stay")
    pathnet_evo.resume(run, ["seeds=2"])
    whole = pathnet_evo.launch("digits", [*TINY, "seeds=2"], runs_dir=tmp_path / "whole")
    assert pathnet_evo.load_run(run).summary["digest"] == whole.summary["digest"]
    with pytest.raises(pathnet_evo.UserError, match="stage-1"):
        pathnet_evo.load_run(run).network(1)
    again = pathnet_evo.resume(run, start_over=True)
    assert again.summary["digest"] == whole.summary["digest"]
    assert again.network(1).path == whole.network(1).path


def test_a_task_that_needs_lost_weights_is_refused(
    finished: Path, copied: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All finished stages would be learned again for the sake of one that is added."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for label in ("old", "new"):
        (tmp_path / "cars" / label).mkdir(parents=True)
        for index in range(6):
            pixels = rng.integers(0, 256, (9, 9), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "cars" / label / f"{index}.png")
    run = copied(finished)
    shutil.rmtree(run / "checkpoints/pathnet-0/stage-1")
    before = content(run)
    with pytest.raises(RunError, match=r"pathnet, seed 0: .* finished stage 2\. .* --start-over`"):
        pathnet_evo.resume(run, add_tasks=[tmp_path / "cars"])
    assert content(run) == before


def test_finished_stages_are_not_erased_without_asking(
    stopped: Path, finished: Path, copied: Any
) -> None:
    """A damaged disk would cost stages whose results are whole, and nobody would be asked."""
    run = copied(stopped)
    (run / "checkpoints/pathnet-0/stage-0/weights.safetensors").unlink()
    before = content(run)
    with pytest.raises(RunError, match=r"pathnet, seed 0: .* finished stage 1\. .* --start-over`"):
        pathnet_evo.resume(run, ["seeds=2"])
    assert content(run) == before
    again = pathnet_evo.resume(run, start_over=True)
    assert again.summary["digest"] == pathnet_evo.load_run(finished).summary["digest"]


def test_changed_results_do_not_stand(finished: Path, copied: Any) -> None:
    """A finished trial's fitness could be made better with an editor, as it is left alone."""
    run = copied(finished)
    with closing(sqlite3.connect(run / "lineage.sqlite")) as db:
        db.execute("UPDATE evaluations SET fitness = fitness + 0.125 WHERE stage = 1")
        db.commit()
    with pytest.raises(RunError, match=r"finished stage 2\."):
        pathnet_evo.resume(run)
    again = pathnet_evo.resume(run, start_over=True)
    assert again.summary["digest"] == pathnet_evo.load_run(finished).summary["digest"]


def test_a_trial_whose_process_died_keeps_its_stages(stopped: Path, copied: Any) -> None:
    """A worker that dies would take finished stages with it where the disk is damaged too."""
    run = copied(stopped)
    shutil.rmtree(run / "checkpoints")
    before = content(run)
    lineage = Lineage(run / "lineage.sqlite", resume=True)
    with pytest.raises(CheckpointError, match="finished stage 1"):
        start_again(run, lineage, Trial(0, "pathnet", 0), lambda text: None)
    lineage.close()
    assert content(run) == before
