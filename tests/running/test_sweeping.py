"""Sweeps that are interrupted, killed, extended and pruned."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest

from pathnet_evo import Evaluated, StageFinished
from pathnet_evo.analysis import sweep as folders
from pathnet_evo.errors import UserError
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.running import sweeping
from pathnet_evo.running.checking import inspect
from pathnet_evo.running.sweeping import Search
from pathnet_evo.setup.problems import ConfigError
from pathnet_evo.setup.sweeps import read_sweep
from pathnet_evo.store.lineage import digest
from pathnet_evo.store.reading import read_config, read_summary
from pathnet_evo_sgd.learner import SGD

pytestmark = pytest.mark.slow

TOML = """
name = "small"
arms = ["independent", "pathnet"]
[pool]
modules = 3
width = 2
layers = [{ kind = "linear", units = 4 }]
[strategy]
name = "binary-tournament"
population = {low = 4, high = 6}
[learner]
name = "sgd"
n_batches = 1
validation_fraction = 0.25
learning_rate = {low = 1e-3, high = 0.5, log = true}
optimizer = {choices = ["SGD", "Adam"]}
[[stages]]
name = "first"
generations = 10
task = { name = "digits", classes = [0, 1], examples = 40 }
[[stages]]
generations = 10
task = { name = "digits", classes = [2, 3], examples = 40 }
[sweep]
trials = 20
arm = "pathnet"
stage = "first"
"""


class CutError(Exception):
    """Ends the process of a sweep, for all that the sweep knows."""


def searched(folder: Path, at: int | None = None, settings: tuple[str, ...] = ()) -> int:
    """Run what is missing of a sweep; ``at`` cuts it off at a record.

    Returns:
        How many records there were.
    """
    count = 0

    @contextmanager
    def shown(plan: Any, run: Path, done: int) -> Iterator[Callable[[Any], None]]:
        def on_record(record: Any) -> None:
            nonlocal count
            count += isinstance(record, Evaluated | StageFinished)
            if count == at:
                raise CutError

        yield on_record

    registry = Registry()
    sweep = sweeping.reopen(folder, settings, registry)
    sweeping.search(Search(sweep, folder, registry, "", (), shown, lambda text: None))
    return count


def begun(folder: Path, *settings: str) -> Path:
    """The folder of a sweep of which no trial has run."""
    folder.mkdir(exist_ok=True)
    (folder / "s.toml").write_text(TOML)
    sweep = read_sweep(folder / "s.toml", settings, Registry())
    return folders.create(sweep, folder / "runs", None)


def found_in(folder: Path) -> dict[str, Any]:
    """The results of a sweep."""
    found = json.loads((folder / "sweep.json").read_text())
    assert isinstance(found, dict)
    return found


def complete(folder: Path, n: int) -> Mapping[str, str]:
    """The digest of each trial; there are n, each a whole run that was done once."""
    found = found_in(folder)
    names = [row["run"] for row in found["trials"]]
    assert names == [f"trial-{number:03}" for number in range(n)]
    assert sorted(path.name for path in folder.glob("trial-*")) == names
    assert {row["state"] for row in found["trials"]} <= {"finished", "pruned"}
    for row in found["trials"]:
        run = folder / row["run"]
        assert inspect(run).problems == []
        summary = read_summary(run)
        assert (summary["state"], [*summary["arms"]]) == ("finished", ["pathnet"])
        assert len(summary["stages"]) == 1
        states = {trial["state"] for trial in summary["arms"]["pathnet"]["trials"]}
        assert states == {"stopped" if row["state"] == "pruned" else "finished"}
        config = read_config(run)
        assert config.learner["learning_rate"] == row["values"]["learner.learning_rate"]
        if row["state"] == "finished":
            fitness = summary["arms"]["pathnet"]["stages"][0]["fitness"]
            assert row["score"] == fitness["mean"]
    return {name: digest(folder / name / "lineage.sqlite") for name in names}


def program(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start ``pathnet-evo`` in a folder."""
    return subprocess.Popen(
        [sys.executable, "-c", "from pathnet_evo.cli import main; main()", *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_killed_twice(tmp_path: Path) -> None:
    """A sweep would lose trials or repeat some, or sample others than if it was not killed."""
    whole = begun(tmp_path / "whole")
    searched(whole)
    (tmp_path / "s.toml").write_text(TOML)
    folder = tmp_path / "runs" / "small"
    for arguments, trial in [(("sweep", "s.toml"), 5), (("resume", "runs/small"), 12)]:
        process = program(tmp_path, *arguments, "--quiet")
        deadline = time.monotonic() + 300
        while not (folder / f"trial-{trial:03}" / "lineage.sqlite").is_file():
            assert process.poll() is None, process.stderr and process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        assert len(found_in(folder)["trials"]) < 20
    out, err = program(tmp_path, "sweep", "runs/small", "--json").communicate(timeout=300)
    assert err == ""
    assert json.loads(out) == found_in(folder) == found_in(whole)
    assert complete(folder, 20) == complete(whole, 20)


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_cut_off_anywhere(tmp_path: Path, share: float) -> None:
    """A trial would be pruned by other scores once its sweep was resumed."""
    settings = ("sweep.trials=7", "seeds=2")
    whole, folder = begun(tmp_path / "whole", *settings), begun(tmp_path / "cut", *settings)
    at = int(share * searched(whole))
    with pytest.raises(CutError):
        searched(folder, at)
    searched(folder)
    assert found_in(folder) == found_in(whole)
    assert complete(folder, 7) == complete(whole, 7)
    assert searched(folder) == 0


def test_what_a_sweep_leaves(tmp_path: Path) -> None:
    """Its table, its page and Optuna's own tools would show other trials."""
    folder = begun(tmp_path, "sweep.trials=12")
    searched(folder)
    found = found_in(folder)
    states = [row["state"] for row in found["trials"]]
    assert states[:5] == ["finished"] * 5
    assert "pruned" in states
    finished = [row for row in found["trials"] if row["state"] == "finished"]
    assert found["trials"][found["best"]]["score"] == max(row["score"] for row in finished)
    with (folder / "sweep.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [row["run"] for row in rows] == [row["run"] for row in found["trials"]]
    page = (folder / "sweep.html").read_text()
    assert all(f'href="{row["run"]}/report.html"' in page for row in found["trials"])
    study = optuna.load_study(study_name="sweep", storage=f"sqlite:///{folder}/study.sqlite")
    assert study.best_trial.number == found["best"]
    assert len(study.trials) == 12
    pruned = states.index("pruned")
    assert len(study.trials[pruned].intermediate_values) < 10
    again = folders.texts(folders.reread(folder))
    assert [*again] == ["sweep.json", "sweep.csv"]
    assert again == {name: (folder / name).read_bytes().decode() for name in again}


def test_test_scores_choose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples that judge the result would have chosen it."""
    folder = begun(tmp_path / "a", "sweep.trials=7")
    searched(folder)
    scores = (score / 10 for score in range(100))
    monkeypatch.setattr(SGD, "score", lambda *given: {"test_accuracy": next(scores)})
    other = begun(tmp_path / "b", "sweep.trials=7")
    searched(other)
    assert found_in(other) == found_in(folder)
    assert next(scores) > 0


def test_more_trials(tmp_path: Path) -> None:
    """A sweep could not be extended, or be changed so that its trials do not compare."""
    folder = begun(tmp_path, "sweep.trials=2")
    searched(folder)
    before = complete(folder, 2)
    searched(folder, settings=("sweep.trials=3",))
    assert complete(folder, 3).items() > before.items()
    searched(folder)
    assert len(found_in(folder)["trials"]) == 3
    for setting in ("sweep.seed=1", "learner.n_batches=2", "learner.optimizer=Adam"):
        text = (folder / "sweep.toml").read_text()
        with pytest.raises(ConfigError, match="cannot change while a sweep resumes"):
            searched(folder, settings=(setting,))
        assert (folder / "sweep.toml").read_text() == text


def test_values_that_do_not_go_together(tmp_path: Path) -> None:
    """One impossible combination would end a whole sweep, or pass for a trial with a score."""
    folder = begun(
        tmp_path,
        "sweep.trials=6",
        'learner.optimizer={choices=["SGD", "RMSprop"]}',
        "learner.optimizer_kwargs={choices=[{}, {alpha=0.9}]}",
    )
    searched(folder)
    rows = found_in(folder)["trials"]
    failed = [row for row in rows if row["state"] == "failed"]
    assert failed
    assert all("unexpected keyword argument 'alpha'" in row["error"] for row in failed)
    assert len(rows) == 6


def test_a_study_of_another_sweep(tmp_path: Path) -> None:
    """A damaged file would end in a traceback, and one of another sweep be continued."""
    folder = begun(tmp_path, "sweep.trials=1")
    searched(folder)
    other = begun(tmp_path, "learner.optimizer=Adam")
    shutil.copy(folder / "study.sqlite", other / "study.sqlite")
    with pytest.raises(UserError, match="trial 0 is of another sweep"):
        searched(other)
    (other / "study.sqlite").write_bytes(b"nonsense" * 1000)
    with pytest.raises(UserError, match="study.sqlite: cannot be read or written") as caught:
        searched(other)
    assert len(str(caught.value).splitlines()) == 1
    (other / "study.sqlite").unlink()
    (other / "study.sqlite").symlink_to(folder / "study.sqlite")
    with pytest.raises(UserError, match="study.sqlite: not a plain file"):
        searched(other)
