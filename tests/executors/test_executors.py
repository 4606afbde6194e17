"""The executors that come along, and what a run makes of trials that are lost."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import torch

from pathnet_evo import RunFailed, launch, load_run, resume
from pathnet_evo.executors.inline import InlineExecutor
from pathnet_evo.executors.processes import ProcessExecutor
from pathnet_evo.executors.trials import torch_threads
from pathnet_evo.interfaces.executors import Executor
from pathnet_evo.interfaces.records import Evaluated, StageFinished, TrialLost
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.running.checking import inspect
from pathnet_evo.setup import config
from pathnet_evo.setup.resolving import resolve
from pathnet_evo.store.lineage import digest
from pathnet_evo.testing import ExecutorContract

SMALL = [
    "seeds=1",
    "arms=['pathnet', 'fine-tuning']",
    "strategy.population=4",
    "stages.*.generations=3",
    "stages.*.task.copies=1",
    "learner.n_batches=2",
    "checkpoints.evaluations=2",
]
"""Makes the preset ``digits`` two trials of two stages of six evaluations."""
LONG = [*SMALL, "stages.*.generations=60"]
"""The same with stages of a second, which are not over before one of them is killed."""


def victims() -> list[int]:
    """The processes that run trials."""
    found = [p for p in multiprocessing.active_children() if p.name.startswith("trial-")]
    return [process.pid for process in found if process.pid is not None]


class TestInline(ExecutorContract):
    def executor(self) -> Executor:
        return InlineExecutor()


@pytest.mark.slow
class TestProcesses(ExecutorContract):
    def executor(self) -> Executor:
        return ProcessExecutor(workers=2)

    def kill(self) -> bool:
        os.kill(victims()[0], signal.SIGKILL)
        return True


def test_every_executor_is_checked() -> None:
    """A new executor would come along without having met the contract."""
    assert Registry().names("executors") == ["inline", "processes", "ray"]


def killing(kind: type, times: int):
    """Kill a trial's process as it tells of something, so often."""
    left = times

    def on_record(record: object) -> None:
        nonlocal left
        if left and isinstance(record, kind) and victims():
            left -= 1
            os.kill(victims()[0], signal.SIGKILL)

    return on_record


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Evaluated, StageFinished])
def test_a_killed_trial_resumes_within_the_run(kind: type, tmp_path: Path) -> None:
    """A worker that ran out of memory would cost its trial, or leave holes in the lineage."""
    plain = launch("digits", LONG, runs_dir=tmp_path, name="plain")
    lost: list[TrialLost] = []

    def on_record(record: object) -> None:
        if isinstance(record, TrialLost):
            lost.append(record)
        kill(record)

    kill = killing(kind, 2)
    run = launch("digits", [*LONG, "jobs=2"], runs_dir=tmp_path, name="killed", on_record=on_record)
    assert run.summary["state"] == "finished"
    assert lost
    assert all("the process of the trial was killed by signal 9" in str(each) for each in lost)
    assert digest(run.folder / "lineage.sqlite") == digest(plain.folder / "lineage.sqlite")
    assert not inspect(run.folder).problems
    assert not list(run.folder.rglob("*.tmp-*"))


@pytest.mark.slow
def test_a_trial_that_is_lost_again_and_again_fails(tmp_path: Path) -> None:
    """A trial whose code crashes its process would be run for ever."""
    settings = [*LONG, "arms=['pathnet']", "executor={name='processes', workers=1, retries=1}"]
    with pytest.raises(RunFailed, match="the process of the trial was killed by signal 9"):
        launch("digits", settings, runs_dir=tmp_path, name="run", on_record=killing(Evaluated, 99))
    run = load_run(tmp_path / "run")
    assert run.summary["state"] == "failed"
    assert resume(run.folder).summary["state"] == "finished"


PLUGIN = """
from pathnet_evo import Executor, ExecutorError, hookimpl

class Forgetful(Executor):
    how: str = "none"
    def run(self, trials):
        if self.how == "first":
            trials.run_here(trials.jobs[0])
        if self.how == "raise":
            raise OSError("the cluster is gone")
    def check(self):
        if self.how == "refuse":
            raise ExecutorError("no cluster at 10.0.0.1:6379")

@hookimpl
def register_executors(register):
    register("forgetful", Forgetful)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "cause", "failed"),
    [
        ("none", "executor forgetful did not bring it to an end", 2),
        ("first", "executor forgetful did not bring it to an end", 1),
        ("raise", "executor forgetful: OSError: the cluster is gone, at forgetful.py:10", 2),
    ],
)
def test_trials_that_an_executor_forgets_have_failed(how, cause, failed, tmp_path) -> None:
    """A run would end as if all were well, and lack trials."""
    plugin = tmp_path / "forgetful.py"
    plugin.write_text(PLUGIN)
    settings = [*SMALL, "executor.name=forgetful", f"executor.how={how}"]
    with pytest.raises(RunFailed, match=cause):
        launch("digits", settings, runs_dir=tmp_path, name="run", plugins=[plugin])
    with closing(sqlite3.connect(tmp_path / "run" / "lineage.sqlite")) as db:
        states = [state for (state,) in db.execute("SELECT state FROM trials")]
    assert states.count("failed") == failed
    assert len(states) == 2


def test_an_executor_says_before_a_run_what_is_wrong(tmp_path) -> None:
    """A cluster that cannot be reached would be found out after hours of queueing."""
    plugin = tmp_path / "forgetful.py"
    plugin.write_text(PLUGIN)
    settings = [*SMALL, "executor.name=forgetful", "executor.how=refuse"]
    with pytest.raises(config.ConfigError, match="executor: no cluster at 10"):
        launch("digits", settings, runs_dir=tmp_path, name="run", plugins=[plugin])
    assert not (tmp_path / "run").exists()


STAGES = {"stages": [{"task": {"name": "digits", "classes": [0, 1]}}]}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, InlineExecutor()),
        ({"jobs": 1}, InlineExecutor()),
        ({"jobs": 3}, ProcessExecutor(workers=3)),
        ({"executor": "processes"}, ProcessExecutor()),
        ({"executor": {"name": "processes", "workers": 2, "retries": 0}, "jobs": 4},
         ProcessExecutor(workers=4, retries=0)),
        ({"executor": "processes", "jobs": 1}, InlineExecutor()),
    ],
)  # fmt: skip
def test_jobs_are_short_for_an_executor(given, expected) -> None:
    """``--jobs 4`` would be another thing than the executor that it is short for."""
    assert resolve(config.validate(STAGES | given), Registry()).executor == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"executor": "proceses"}, '"proceses" is not registered. Did you mean "processes"'),
        ({"executor": {"name": "processes", "workers": 0}}, "executor.workers: input should be"),
        ({"executor": {"name": "processes", "wrkers": 2}}, 'executor.wrkers: unknown key. Did you'),
        ({"executor": {"name": "inline", "workers": 2}}, "executor.workers: unknown key"),
        ({"jobs": 0}, "jobs: expected a whole number from 1, got 0"),
        ({"jobs": "many"}, "jobs: expected a whole number from 1, got 'many'"),
        ({"jobs": 2, "executor": "dask"}, 'jobs: short for executor "processes", but executor is'),
    ],
)  # fmt: skip
def test_bad_options(given, message) -> None:
    """A misspelt executor would be found out in the middle of a run."""
    with pytest.raises(config.ConfigError) as refused:
        resolve(config.validate(STAGES | given), Registry())
    assert message in str(refused.value)


@pytest.mark.slow
def test_runs_that_were_written_with_jobs_resume(tmp_path: Path) -> None:
    """Runs of earlier versions would be lost."""

    def on_record(record: object) -> None:
        if isinstance(record, StageFinished):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        launch("digits", SMALL, runs_dir=tmp_path, name="run", on_record=on_record)
    folder = tmp_path / "run"
    text = (folder / "run.toml").read_text()
    old = text.replace('[executor]\nname = "inline"\n', "").replace(
        "seeds = 1", "seeds = 1\njobs = 1"
    )
    assert old != text
    (folder / "run.toml").write_text(old)
    with closing(sqlite3.connect(folder / "lineage.sqlite")) as db:
        row = (hashlib.sha256(old.encode()).hexdigest(), old)
        db.execute("INSERT OR REPLACE INTO configurations VALUES (?, ?)", row)
        db.commit()
    run = resume(folder, ["jobs=2"])
    assert run.summary["state"] == "finished"
    assert 'name = "processes"' in (folder / "run.toml").read_text()
    assert json.loads((folder / "about.json").read_text())["resumed"]


def test_torch_is_left_as_it_was() -> None:
    """A script would go on after its run with errors that a plugin of the run asked for."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch_threads("cpu", 3):
        assert torch.get_num_threads() == 3
        torch.use_deterministic_algorithms(not before[1])
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before
