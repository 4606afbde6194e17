"""The observer ``csv``, followed record by record over several sessions."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pathnet_evo.interfaces.observers import HOOKS
from pathnet_evo.interfaces.records import Record
from pathnet_evo.interfaces.run_info import RunInfo, Trial
from pathnet_evo.observers.csv import Csv

FITNESSES = [0.125 * n for n in range(8)]


@pytest.fixture
def records(made_up: SimpleNamespace) -> Sequence[Record]:
    """Two stages of four generations."""
    found: list[Record] = made_up.stage(0, 0, FITNESSES, {0: 0.75})
    return [*found, *made_up.stage(0, 1, FITNESSES, {0: 0.75, 1: 0.5})]


def session(folder: Path, records: Iterable[Record]) -> list[dict[str, str]]:
    """What is in the file after a session."""
    observer: Any = Csv()
    run = RunInfo(folder, "run", {0: Trial(0, "a,b", 3)})
    for record in records:
        getattr(observer, HOOKS[type(record)])(run, record)
    observer.run_finished(run, {"stages": []})
    with (folder / "metrics" / "a,b-3.csv").open(newline="") as file:
        return [*csv.DictReader(file)]


def test_rows(records: Sequence[Record], tmp_path: Path) -> None:
    """A metric would be missing, or lose digits."""
    rows = session(tmp_path, records)
    assert {(row["arm"], row["seed"]) for row in rows} == {("a,b", "3")}
    best = [row for row in rows if row["name"] == "stage-1/fitness/best"]
    assert [int(row["step"]) for row in best] == [2, 4, 6, 8]
    assert [float(row["value"]) for row in best] == FITNESSES[1::2]
    scores = [(r["name"], r["step"], r["value"]) for r in rows if "/score/" in r["name"]]
    assert scores == [
        ("stage-0/score/test_accuracy", "1", "0.75"),
        ("stage-0/score/test_accuracy", "2", "0.75"),
        ("stage-1/score/test_accuracy", "2", "0.5"),
    ]
    reused = [row["value"] for row in rows if row["name"] == "path/reused"]
    assert reused == ["0.0", "0.5"]


@pytest.mark.parametrize("killed", [1, 5, 8, 14, 20])
@pytest.mark.parametrize("torn", ["", "a,b,3,stage-0/fit"])
def test_a_resumed_run_has_each_row_once(
    records: Sequence[Record], tmp_path: Path, killed: int, torn: str
) -> None:
    """What a killed run had written after its checkpoint would be there twice, or be lost."""
    for name in ("whole", "run"):
        (tmp_path / name).mkdir()
    whole = session(tmp_path / "whole", records)
    written = [r for r in records if type(r) in HOOKS]
    path = tmp_path / "run" / "metrics" / "a,b-3.csv"
    if killed > 4:
        session(tmp_path / "run", written[:killed])
        with path.open("a") as file:
            file.write(torn)
    begins = written[0]
    resumed = max(killed - 3, 0)
    assert session(tmp_path / "run", [begins, *written[resumed:]]) == whole


def test_a_trial_whose_process_was_lost_has_each_row_once(
    records: Sequence[Record], tmp_path: Path
) -> None:
    """What it repeats in the same session would be there twice."""
    for name in ("whole", "run"):
        (tmp_path / name).mkdir()
    written = [r for r in records if type(r) in HOOKS]
    again = [*written[:8], written[0], *written[5:]]
    assert session(tmp_path / "run", again) == session(tmp_path / "whole", records)
