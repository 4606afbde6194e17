"""Plugins that raise anything, exit, or change the process: they cost what they did, no more."""

from __future__ import annotations

import html
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pathnet_evo import RunFailed, launch
from pathnet_evo.errors import UserError
from pathnet_evo.plugins.files import PluginFileError
from pathnet_evo.running.checking import inspect
from pathnet_evo.setup.problems import ConfigError
from pathnet_evo.system.plugin_calls import said

pytestmark = pytest.mark.slow

PLUGIN = '''
import os
import sys

import torch

from pathnet_evo import Evaluation, Evaluator, Learner, SupervisedTask, TaskSettings, hookimpl


class Panic(BaseException):
    """As extensions written in Rust raise it."""


def stray(how):
    """Do what no plugin should."""
    if how == "raise":
        raise ValueError("no\\nlicence")
    if how == "panic":
        raise Panic("index out of bounds")
    if how == "exit":
        sys.exit(3)
    if how == "dtype":
        torch.set_default_dtype(torch.float64)
    if how == "device":
        torch.set_default_device("meta")
    if how == "chdir":
        os.chdir("/")
    if how == "stdout":
        sys.stdout.close()
    if how == "descriptor":
        os.close(1)


class Task(TaskSettings):
    how: str = ""

    def make(self, context):
        stray(self.how)
        x = torch.ones(4, 3, dtype=torch.float32, device="cpu")
        y = torch.zeros(4, dtype=torch.int64, device="cpu")
        return SupervisedTask(f"seed-{context.streams.seed}", x, y, x, y, 2)


class Astray(Learner):
    """Learns nothing, and goes astray at one place with the first seed."""

    takes = SupervisedTask
    where: str = ""
    how: str = ""

    def at(self, where, task):
        if (where, task.name) == (self.where, "seed-0"):
            stray(self.how)

    def outputs(self, task):
        return 2

    def check(self, task):
        self.at("check", task)

    def readout(self, pool, task, generator):
        self.at("readout", task)
        return super().readout(pool, task, generator)

    def evaluator(self, context):
        self.at("evaluator", context.task)
        return One(self, context.task)

    def random_baseline(self, task, streams):
        self.at("chance", task)
        return 0.25

    def score(self, network, task, streams):
        self.at("score", task)
        return {"share": 0.75}


class One(Evaluator):
    def __init__(self, learner, task):
        self.learner, self.task, self.waiting = learner, task, []

    @property
    def free(self):
        return 1 - len(self.waiting)

    def submit(self, candidate):
        if candidate.id == 2:
            self.learner.at("submit", self.task)
        self.waiting.append(candidate)

    def advance(self):
        if self.waiting[0].id == 2:
            self.learner.at("advance", self.task)
        candidate = self.waiting.pop()
        return [Evaluation(candidate, 0.1 * candidate.id, examples=1)]

    def cancel(self):
        self.waiting.clear()


@hookimpl
def register_tasks(register):
    register("task", Task)


@hookimpl
def register_learners(register):
    register("astray", Astray)
'''
HOWS = {
    "raise": "ValueError: no licence, at astray.py:",
    "panic": "Panic: index out of bounds, at astray.py:",
    "exit": "SystemExit: 3, at astray.py:",
    "dtype": "set torch's default dtype to torch.float64",
    "device": "set torch's default device to meta",
    "chdir": "changed the working directory to /",
}
"""What goes astray, and how that is reported; standard output has a test of its own."""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The plugin, in a file; the process must be after the test what it was before."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "astray.py"
    path.write_text(PLUGIN)
    return path


@pytest.fixture(autouse=True)
def _unchanged(tmp_path: Path):
    before = torch.get_default_dtype(), torch.get_default_device()
    folder = os.getcwd()
    yield
    found = torch.get_default_dtype(), torch.get_default_device()
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    assert found == before
    assert os.getcwd() in (folder, str(tmp_path))


def configuration(task: str = "", where: str = "", how: str = "") -> dict:
    """Two seeds of one stage of eight evaluations."""
    return {
        "arms": ["pathnet"],
        "seeds": 2,
        "pool": {"modules": 3, "width": 2, "layers": [{"kind": "linear", "units": 2}]},
        "strategy": {"name": "binary-tournament", "population": 4},
        "learner": {"name": "astray", "where": where, "how": how},
        "stages": [{"task": {"name": "task", "how": task}, "generations": 4}],
    }


@pytest.mark.parametrize("how", HOWS)
def test_a_task_goes_astray_when_it_is_first_made(how: str, plugin: Path) -> None:
    """A user would get a traceback of ours, or a program that ends without a word."""
    with pytest.raises(ConfigError) as refused:
        launch(configuration(task=how), runs_dir="runs", plugins=[plugin])
    line = str(refused.value)
    assert "\n" not in line
    assert line.startswith("configuration: stages.0.task: make: ")
    assert HOWS[how] in line
    assert not Path("runs").exists()


def test_a_learner_goes_astray_when_it_checks_a_task(plugin: Path) -> None:
    """The same of the first thing that is asked of a learner."""
    with pytest.raises(ConfigError, match=r"stages\.0\.learner: SystemExit: 3, at astray\.py"):
        launch(configuration(where="check", how="exit"), runs_dir="runs", plugins=[plugin])


@pytest.mark.parametrize(("where", "how"), [("readout", "dtype"), ("evaluator", "panic")])
def test_a_learner_goes_astray_as_a_stage_begins(where: str, how: str, plugin: Path) -> None:
    """All seeds and arms would end with one seed's stage."""
    with pytest.raises(RunFailed) as failed:
        launch(configuration(where=where, how=how), runs_dir="runs", plugins=[plugin])
    (error,) = failed.value.errors
    assert error.startswith(f"pathnet, seed 0: {where}: {HOWS[how]}")
    states = [trial["state"] for trial in failed.value.run.summary["arms"]["pathnet"]["trials"]]
    assert states == ["failed", "finished"]


@pytest.mark.parametrize(
    ("where", "how"),
    [("advance", how) for how in HOWS] + [("submit", "raise"), ("submit", "exit")],
)
def test_a_learner_goes_astray_in_one_evaluation(where: str, how: str, plugin: Path) -> None:
    """A run of days would end with one evaluation."""
    run = launch(configuration(where=where, how=how), runs_dir="runs", plugins=[plugin])
    assert run.summary["state"] == "finished"
    stage = run.summary["arms"]["pathnet"]["stages"][0]
    assert stage["failed"]["seeds"] == {"0": 1, "1": 0}
    assert stage["evaluations"]["seeds"] == {"0": 8, "1": 8}
    (cause,) = causes(run.folder)
    assert cause.startswith(f"{where}: {HOWS[how]}")
    assert not inspect(run.folder).problems


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("where", ["chance", "score"])
def test_a_learner_goes_astray_as_it_scores(where: str, how: str, plugin: Path) -> None:
    """What a whole stage has learned would be lost, since it could not be scored."""
    run = launch(configuration(where=where, how=how), runs_dir="runs", plugins=[plugin])
    assert run.summary["state"] == "finished"
    stage = run.summary["arms"]["pathnet"]["stages"][0]
    (said_of_it,) = stage["not_scored"]["0"]
    what, hook = {
        "chance": ("the random baseline", "random_baseline"),
        "score": ("stage 1's network", "score"),
    }[where]
    assert said_of_it.startswith(f"{what} could not be scored: {hook}: {HOWS[how]}")
    assert list(stage["not_scored"]) == ["0"]
    scores = {"share": 0.75}
    expected = {"1": scores} if where == "score" else {"0": scores, "1": scores}
    found = stage["scores"]["share"]["seeds"]
    assert found == {seed: score["share"] for seed, score in expected.items()}
    assert run.network(0, seed=0).path, "the path is frozen and kept all the same"
    assert not inspect(run.folder).problems
    page = html.unescape((run.folder / "report.html").read_text(encoding="utf-8"))
    assert said_of_it in page


@pytest.mark.parametrize("how", ["stdout", "descriptor"])
def test_a_plugin_closes_standard_output(how: str, plugin: Path, tmp_path: Path) -> None:
    """A run of days would end in a traceback, or its table be written into another file."""
    (tmp_path / "run.json").write_text(json.dumps(configuration(where="advance", how=how)))
    code = (
        "import json, sys\n"
        "import pathnet_evo.setup.preparing as preparing\n"
        "read = preparing.read_source\n"
        "preparing.read_source = lambda s: read(json.load(open('run.json')))\n"
        "from pathnet_evo.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "run", "x", "--plugin", str(plugin), "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    stage = json.loads(done.stdout)["arms"]["pathnet"]["stages"][0]
    assert stage["failed"]["seeds"] == {"0": 1, "1": 0}
    closed = {"stdout": "advance: closed sys.stdout", "descriptor": "closed file descriptor 1"}
    (cause,) = causes(next((tmp_path / "runs").iterdir()))
    assert closed[how] in cause


@pytest.mark.parametrize("arguments", [{"jobs": 2}, {"engine": "processes"}])
def test_a_plugin_exits_in_a_process_of_its_own(arguments: dict, plugin: Path) -> None:
    """One evaluation's exit would end a process, and with it a trial, without a word why."""
    how = configuration(where="advance", how="exit") | arguments
    run = launch(how, runs_dir="runs", plugins=[plugin])
    stage = run.summary["arms"]["pathnet"]["stages"][0]
    assert stage["failed"]["seeds"] == {"0": 1, "1": 0}
    (cause,) = causes(run.folder)
    assert HOWS["exit"] in cause


def test_a_plugin_file_panics_as_it_is_imported(plugin: Path) -> None:
    """An extension that cannot be loaded would end in a traceback of ours."""
    plugin.write_text("class Panic(BaseException): pass\nraise Panic('no GPU')\n")
    with pytest.raises(PluginFileError, match=r"failed to load: Panic: no GPU, at astray\.py:2$"):
        launch(configuration(), runs_dir="runs", plugins=[plugin])


@pytest.mark.parametrize("how", HOWS)
def test_an_observer_goes_astray(
    how: str, plugin: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run would end, or all that follows be written elsewhere, since somebody watched it."""
    observer = f"@hookimpl\ndef generation_finished(record):\n    stray({how!r})\n"
    plugin.write_text(PLUGIN + observer)
    run = launch(configuration(), runs_dir="runs", plugins=[plugin])
    assert run.summary["state"] == "finished"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"plugin astray.py failed in generation_finished ({HOWS[how]}")
    assert line.endswith("it is switched off, and the run continues")


def test_a_callback_of_the_users_own_is_no_plugin(plugin: Path) -> None:
    """An error in somebody's own callback would be taken for a failed trial, and pass unseen."""

    def on_record(record: object) -> None:
        if type(record).__name__ == "Evaluated":
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        launch(configuration(), runs_dir="runs", plugins=[plugin], on_record=on_record)


def test_an_error_that_cannot_be_shown() -> None:
    """An error whose own text raises would replace the error that matters."""

    class UnspeakableError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert said(UnspeakableError()) == "UnspeakableError"
    assert len(said(ValueError("x" * 10_000))) < 500


def test_users_errors_stay_what_they_are(plugin: Path) -> None:
    """What a task says in a sentence would be shown as if it were a fault of its code."""
    sentence = 'raise __import__("pathnet_evo").TaskError("put the data into data/")'
    plugin.write_text(PLUGIN.replace("stray(self.how)", sentence))
    with pytest.raises(UserError, match=r"^configuration: stages\.0\.task: put the data into"):
        launch(configuration(), runs_dir="runs", plugins=[plugin])


def causes(folder: Path) -> list[str]:
    """Why evaluations failed, as the lineage has it."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(folder / "lineage.sqlite")) as db:
        return [c for (c,) in db.execute("SELECT cause FROM evaluations WHERE cause IS NOT NULL")]
