"""Runs that earlier versions wrote, and later ones."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import torch

from pathnet_evo import load_run
from pathnet_evo.running.checking import inspect
from pathnet_evo.setup import config
from pathnet_evo.store.lineage import LineageError, open_lineage
from pathnet_evo.store.schema import VERSION

FIXTURES = Path(__file__).parents[1] / "fixtures"
KEPT = sorted(FIXTURES.glob("run-schema-*"))


def test_there_is_a_run_of_every_earlier_version():
    """A version's runs would be forgotten, and no longer open."""
    assert [f.name for f in KEPT] == [f"run-schema-{v}" for v in range(1, VERSION)]


@pytest.mark.parametrize("folder", KEPT, ids=lambda f: f.name)
def test_a_run_of_an_earlier_version_opens(folder, tmp_path):
    """What somebody learned last year could not be used after an update."""
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    run = load_run(folder)
    written = json.loads((folder / "summary.json").read_text())
    assert run.summary["digest"] == written["digest"]
    measured = without_intervals(written["arms"])
    assert known_then(run.summary["arms"], measured) == measured
    for stage in (0, 1):
        network = run.network(stage)
        assert torch.isfinite(network(torch.zeros(1, 1, 8, 8))).all()
    found = inspect(folder)
    assert all("predates resumable checkpoints" in p for p in found.problems)
    assert before == {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def without_intervals(then):
    """What was measured; intervals are those of whatever version reads."""
    if isinstance(then, dict):
        return {k: without_intervals(value) for k, value in then.items() if k != "interval"}
    return [without_intervals(value) for value in then] if isinstance(then, list) else then


def known_then(now, then):
    """What is said now, without the keys that were not there then."""
    if isinstance(then, dict):
        return {key: known_then(now[key], value) for key, value in then.items()}
    if isinstance(then, list) and len(now) == len(then):
        return [known_then(a, b) for a, b in zip(now, then, strict=True)]
    return now


def test_a_run_of_a_later_version_says_why_it_does_not_open(tmp_path):
    """It would be misread, or damaged."""
    run = Path(shutil.copytree(KEPT[-1], tmp_path / "run"))
    with closing(sqlite3.connect(run / "lineage.sqlite")) as db:
        db.execute(f"PRAGMA user_version={VERSION + 1}")
    with pytest.raises(LineageError, match=f"schema version {VERSION + 1} .* a later version"):
        open_lineage(run / "lineage.sqlite")


def test_a_run_from_before_columns_goes_on_as_it_was_begun():
    """It would be resumed with another way for frozen modules to enter, another optimizer."""
    text = (FIXTURES / "run-schema-1" / "run.toml").read_text()
    old = config.parse(text, "run.toml")
    games = {"name": "a3c", "annealing": False}
    old["transfer"]["always_active"] = True
    old["stages"][1]["learner"] = games
    new = config.validate(old)
    assert (new.transfer.connect, new.transfer.initial_modules) == ("sum", "fresh")
    assert new.learner["optimizer_state"] == "fresh"
    assert new.stages[1].learner == {"name": "a3c", "schedule": "constant"}
    written = config.validate({"stages": [{"task": "digits"}], "transfer": {"grow": 2}})
    assert written.transfer.connect is None, "what a user writes is of this version"
