"""Results that are rebuilt while a process may write the run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import pathnet_evo
from pathnet_evo.analysis.summary import summarise
from pathnet_evo.interfaces.records import TrialFinished
from pathnet_evo.running import concluding
from pathnet_evo.running.concluding import rebuild
from pathnet_evo.store.lock import Holder, Lock, holder, nobody

SOFAR, FINAL = "so far", "final"


class Owner:
    """A process that holds a run and ends it, seen from ``rebuild``, step by step."""

    def __init__(self, folder: Path) -> None:
        self.lock = Lock(folder)
        self.summary = folder / "summary.json"
        self.seen: list[Holder | None] = []
        self.steps: list[Callable[[], None]] = []

    def write(self) -> None:
        """Write the last results."""
        self.lock.end()
        self.summary.write_text(FINAL)

    def end(self) -> None:
        """Write them and release the run."""
        self.write()
        self.lock.release()

    def compute(self, held: Holder | None) -> dict[Path, str]:
        """What follows from the lineage, of which the rest is written meanwhile."""
        self.seen.append(held)
        if self.steps:
            self.steps.pop(0)()
        return {self.summary: FINAL if held is None else SOFAR}


def test_a_running_run_has_results_so_far(tmp_path: Path) -> None:
    """Nobody could look at a run before it ends."""
    owner = Owner(tmp_path)
    rebuild(tmp_path, owner.compute)
    assert owner.summary.read_text() == SOFAR
    owner.end()
    assert owner.summary.read_text() == FINAL


def test_a_run_that_ends_meanwhile_keeps_its_last_results(tmp_path: Path) -> None:
    """The summary of a finished run would say that it runs, for good."""
    owner = Owner(tmp_path)
    owner.steps = [owner.end]
    rebuild(tmp_path, owner.compute)
    assert owner.summary.read_text() == FINAL
    assert [held is None for held in owner.seen] == [False, True]
    assert holder(tmp_path) is None


def test_a_run_that_ends_between_the_look_and_the_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same, where results that were announced in the last moment are overwritten."""
    owner, written = Owner(tmp_path), concluding.replace_all

    def late(contents: Any) -> None:
        if len(owner.seen) == 1:
            owner.write()
        written(contents)

    def look(folder: Path) -> Holder | None:
        found = holder(folder)
        if found is not None and found.ending:
            assert owner.summary.read_text() == SOFAR
            owner.lock.release()
        return found

    monkeypatch.setattr(concluding, "replace_all", late)
    monkeypatch.setattr(concluding, "holder", look)
    rebuild(tmp_path, owner.compute)
    assert owner.summary.read_text() == FINAL


def test_a_run_announces_its_last_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``report`` would not know that what it computed before is old."""
    seen: list[Holder | None] = []

    def summarised(folder: Path, held_by: Any = holder, digested: bool = True) -> Any:
        if held_by is nobody:
            seen.append(holder(folder))
        return summarise(folder, held_by, digested)

    monkeypatch.setattr(concluding, "summarise", summarised)
    tiny = ["seeds=1", "arms=['pathnet']", "stages.*.generations=2", "strategy.population=4"]
    pathnet_evo.launch("digits", tiny, name="run", runs_dir=tmp_path)
    (held,) = seen
    assert held is not None
    assert (held.alive, held.ending) == (True, True)


@pytest.mark.parametrize("verb", [("report", "run"), ("rm", "run")])
def test_a_killed_run_stays_killed(
    verb: tuple[str, ...], made_up: SimpleNamespace, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Holding a run for a moment would remove the only trace of how it ended."""
    run = Path("run")
    run.mkdir()
    made_up.toml(run, 1, ["pathnet"])
    begun = [made_up.started(0), *made_up.stage(0, 0, [0.1, 0.2], None)]
    made_up.lineage(run, [*begun, TrialFinished(0, "failed", "of itself")])
    (run / "about.json").write_text("{}")
    stale = json.dumps({"host": "h" * 300, "pid": 1, "started": "then"})
    (run / "lock").write_text(stale)
    assert summarise(run)["state"] == "killed"
    monkeypatch.setattr("builtins.input", lambda: "n")
    command(*verb)
    assert (run / "lock").read_text() == stale
    assert summarise(run)["state"] == "killed"
    if verb[0] == "report":
        assert json.loads((run / "summary.json").read_text())["state"] == "killed"
