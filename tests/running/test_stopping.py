"""Ending a stage or a run early: what is kept, and what resume and check make of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from pathnet_evo import (
    Evaluated,
    GenerationFinished,
    Run,
    StageFinished,
    StageStarted,
    StopRun,
    StopStage,
    launch,
    load_run,
    resume,
)
from pathnet_evo.running.checking import inspect
from pathnet_evo.store.lineage import digest

pytestmark = pytest.mark.slow

SMALL = {
    "arms": ["pathnet", "independent"],
    "pool": {"modules": 4, "width": 2, "layers": [{"kind": "linear", "units": 4}]},
    "strategy": {"name": "binary-tournament", "population": 4},
    "learner": {"name": "sgd", "n_batches": 1},
    "stages": [{"task": {"name": "digits", "classes": [0, 1], "examples": 20}, "generations": 6}]
    * 2,
}


@pytest.fixture
def ended(tmp_path: Path) -> Callable[..., Run]:
    """Runs two arms over two stages of twelve evaluations with a callback."""

    def run(on_record: Callable[[Any], object], **changes: Any) -> Run:
        return launch({**SMALL, **changes}, runs_dir=tmp_path / "runs", on_record=on_record)

    return run


def states(run: Run) -> list[str]:
    """The trials' states, in order."""
    return [t["state"] for arm in run.summary["arms"].values() for t in arm["trials"]]


def intact(run: Run) -> None:
    """The run is whole and finished, and resuming it changes nothing."""
    assert run.summary["state"] == "finished"
    found = inspect(run.folder)
    assert found.problems == []
    assert "state: finished" in found.lines
    before, heard = digest(run.folder / "lineage.sqlite"), list[Any]()
    again = resume(run.folder, on_record=heard.append)
    assert heard == []
    assert digest(again.folder / "lineage.sqlite") == before
    assert again.summary["state"] == "finished"


@pytest.mark.parametrize("answer", [StopStage, StopStage("enough")])
@pytest.mark.parametrize("raised", [False, True])
def test_a_stage_ends_early(ended: Callable[..., Run], answer: Any, raised: bool) -> None:
    """Patience would cost the rest of the budget, or change what was learned until then."""

    def on_record(record: Any) -> object:
        if isinstance(record, Evaluated) and (record.trial, record.stage, record.number) == (
            0,
            0,
            4,
        ):
            if raised:
                raise answer
            return answer
        return None

    run, whole = ended(on_record), ended(lambda record: None)
    look = run.to_frame().set_index(["arm", "stage"])
    assert look.evaluations.tolist() == [5, 12, 12, 12]
    assert look.state.tolist() == ["finished"] * 4
    assert look["score/test_accuracy"].notna().all()
    assert states(run) == ["finished", "finished"]
    told = [
        frame[frame.stage == 0].head(5).fitness.tolist()
        for frame in (run.evaluations(), whole.evaluations())
    ]
    assert told[0] == told[1]
    assert run.network(0).path == look.path.iloc[0]
    intact(run)


def test_a_stage_ends_once_it_has_a_path(ended: Callable[..., Run]) -> None:
    """A stage that is ended as it begins would fail, for nothing could be frozen."""
    run = ended(lambda record: StopStage if isinstance(record, StageStarted) else None)
    assert run.to_frame().evaluations.tolist() == [1] * 4
    assert states(run) == ["finished", "finished"]
    intact(run)


def test_a_run_ends_early(ended: Callable[..., Run]) -> None:
    """A pruned run would count as killed or interrupted, and be resumed by the next sweep."""
    run = ended(
        lambda record: StopRun if isinstance(record, GenerationFinished) and record.stage else None
    )
    assert states(run) == ["stopped", "stopped"]
    look = run.to_frame()
    assert look[["arm", "stage", "state"]].to_numpy().tolist() == [
        ["pathnet", 0, "finished"],
        ["pathnet", 1, "stopped"],
    ]
    assert len(run.evaluations()) == 12 + 2
    assert run.errors == []
    intact(run)


def test_more_seeds_of_a_run_that_ended_early(ended: Callable[..., Run]) -> None:
    """Stopped trials would run again when seeds are added, or the new ones would not run."""
    run = ended(lambda record: StopRun, arms=["pathnet"])
    assert states(run) == ["stopped"]
    more = resume(run.folder, ["seeds=2"])
    assert states(more) == ["stopped", "finished"]
    assert len(more.evaluations()) == 24


def test_a_stage_is_scored_before_the_run_ends(ended: Callable[..., Run]) -> None:
    """What the documentation says would not work: StopStage, then StopRun once it is scored."""

    def on_record(record: Any) -> object:
        if isinstance(record, Evaluated) and record.number == 3:
            return StopStage
        return StopRun if isinstance(record, StageFinished) else None

    run = ended(on_record)
    look = run.to_frame()
    assert look.evaluations.dropna().tolist() == [4]
    assert look["score/test_accuracy"].notna().iloc[0]
    assert states(run) == ["stopped", "stopped"]
    intact(run)


def test_other_errors_are_errors(ended: Callable[..., Run], tmp_path: Path) -> None:
    """A mistake in a callback would end the run as if it had been asked to."""

    def on_record(record: Any) -> object:
        if isinstance(record, Evaluated):
            raise ZeroDivisionError("mine")
        return "StopRun"

    with pytest.raises(ZeroDivisionError, match="mine"):
        ended(on_record)


def program(folder: Path, *arguments: str) -> Any:
    """Run ``pathnet-evo`` in a folder; it must succeed."""
    code = "from pathnet_evo.cli import main; main()"
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


OBSERVERS = """
from pathnet_evo import Evaluated, Observer, StopRun, StopStage, hookimpl

class Enough(Observer):
    at: int
    what: str = "stage"

    def evaluation_finished(self, run, record):
        if record.number >= self.at:
            if self.what == "stage":
                return StopStage
            raise StopRun

@hookimpl
def register_observers(register):
    register("enough", Enough)
"""


ENDLESS = {
    **SMALL,
    "arms": ["pathnet"],
    "seeds": 2,
    "stages": [{**SMALL["stages"][0], "generations": 1_000_000}] * 2,  # type: ignore[index]
}


def observed(folder: Path, what: str, **changes: Any) -> dict[str, Any]:
    """A configuration with the observer above, in a file."""
    (folder / "enough.py").write_text(OBSERVERS)
    observers = [{"name": "enough", "at": 3, "what": what}]
    return {**ENDLESS, "observers": observers, "plugins": ["enough.py"], **changes}


@pytest.mark.parametrize(("what", "state"), [("stage", "finished"), ("run", "stopped")])
def test_an_observer_ends_what_never_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any, what: str, state: str
) -> None:
    """An observer that raises to end a stage would be switched off, as a broken one is."""
    monkeypatch.chdir(tmp_path)
    run = launch(observed(tmp_path, what), runs_dir="runs")
    assert set(states(run)) == {state}
    assert "switched off" not in capfd.readouterr().err
    intact(run)


@pytest.mark.parametrize(("what", "state"), [("stage", "finished"), ("run", "stopped")])
def test_in_other_processes(tmp_path: Path, what: str, state: str) -> None:
    """A request would not reach a trial in another process, and it would run for ever."""
    config = observed(tmp_path, what, executor={"name": "processes", "workers": 2})
    (tmp_path / "endless.toml").write_text(tomli_w.dumps(config))
    done = program(tmp_path, "run", "endless.toml", "--name", "run")
    assert "to resume" not in done.stderr
    run = load_run(tmp_path / "runs" / "run")
    assert run.summary["state"] == "finished"
    assert set(states(run)) == {state}
    assert inspect(run.folder).problems == []
