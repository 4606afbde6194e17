"""Observers hear of a run, and a broken one does not spoil it; TensorBoard is one."""

import csv
import json

import pytest

from pathnet_evo import launch
from pathnet_evo.plugins.registry import Registry

pytestmark = pytest.mark.slow

POPULATION = (
    "distinct_paths",
    "frozen_overlap",
    "frozen_overlap_chance",
    "mean_path_distance",
    "usage_entropy",
    "usage_entropy_normalised",
)
"""What TensorBoard is told of a population."""

BROKEN = """
from pathnet_evo import hookimpl
from pathnet_evo.interfaces.observers import Observer

class Broken(Observer):
    def evaluation_finished(self, run, record):
        raise ValueError("disk\\nfull")

    def run_finished(self, run, summary):
        print("never")

@hookimpl
def register_observers(register):
    register("broken", Broken)

@hookimpl
def generation_finished(record):
    raise SystemExit(5)
"""


def test_switched_off(install, program, small):
    """A run of days would end because somebody's observer could not write."""
    install("my-lab", BROKEN)
    done = program("run", small('observers = ["broken"]'), "--json")
    assert json.loads(done.stdout)["state"] == "finished"
    assert "never" not in done.stdout
    lines = [line for line in done.stderr.splitlines() if "switched off" in line]
    assert lines == [
        "observer broken failed in evaluation_finished (ValueError: disk full, at my_lab.py:7); "
        "it is switched off, and the run continues",
        "plugin my-lab failed in generation_finished (SystemExit: 5, at my_lab.py:18); "
        "it is switched off, and the run continues",
    ]


@pytest.mark.parametrize(
    ("observers", "message"),
    [
        (
            '["tensorbord"]',
            'observers.0.name: observer "tensorbord" is not registered. Did you mean',
        ),
        ('[{ name = "tensorboard", evry = 2 }]', "observers.0.evry: unknown key. Did you mean"),
        ('[{ name = "tensorboard", every = 0 }]', "observers.0.every: input should be greater"),
        ('["tensorboard", "tensorboard"]', "observers.1: 'tensorboard' is there twice"),
        ("[{}]", "observers.0.name: missing"),
    ],
)
def test_wrong_configuration(program, small, observers, message, tmp_path):
    """A misspelt observer would be found out after the run, by what is missing."""
    error = program("run", small(f"observers = {observers}"), status=2).stderr
    assert message in error
    assert not (tmp_path / "runs").exists()


def test_tensorboard(tmp_path, small):
    """Curves would be missing, or under tags that change from version to version."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = launch(
        tmp_path
        / small(
            'observers = [{ name = "tensorboard", every = 2, pictures = 4 }, '
            '{ name = "csv", every = 2 }]'
        ),
        ["stages.0.generations=4", "seed=5"],
        runs_dir=tmp_path / "runs",
    )
    events = EventAccumulator(str(run.folder / "tensorboard" / "pathnet-5"))
    events.Reload()
    assert sorted(events.Tags()["scalars"]) == [
        "path/reused",
        "pool/frozen",
        "stage-0/fitness/best",
        "stage-0/fitness/mean",
        "stage-0/loss",
        *(f"stage-0/population/{name}" for name in POPULATION),
        "stage-0/score/test_accuracy",
    ]
    (picture,) = events.Images("stage-0/path")
    assert picture.step == 8
    assert picture.encoded_image_string.startswith(b"\x89PNG")
    assert [e.step for e in events.Scalars("stage-0/fitness/best")] == [4, 8]
    (score,) = events.Scalars("stage-0/score/test_accuracy")
    assert score.step == 1
    (cell,) = [r["test_accuracy"] for r in _scores(run.folder)]
    assert score.value == pytest.approx(cell)
    with (run.folder / "metrics" / "pathnet-5.csv").open() as file:
        rows = [*csv.DictReader(file)]
    for tag in events.Tags()["scalars"]:
        mine = [(int(r["step"]), float(r["value"])) for r in rows if r["name"] == tag]
        theirs = [(e.step, e.value) for e in events.Scalars(tag)]
        assert mine == [(step, pytest.approx(value)) for step, value in theirs], tag
    assert {r["name"] for r in rows} == set(events.Tags()["scalars"])
    frame = run.generations()
    for name in frame.columns:
        if "/" in name or name == "loss":
            found = [float(r["value"]) for r in rows if r["name"] == f"stage-0/{name}"]
            assert frame[name][1::2].dropna().tolist() == found, name


def _scores(folder):
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(folder / "lineage.sqlite")) as db:
        return [json.loads(scores)["0"] for (scores,) in db.execute("SELECT scores FROM stages")]


def test_nothing_is_observed_unless_asked(tmp_path, small):
    """Every run would write logs that nobody asked for."""
    run = launch(tmp_path / small(), runs_dir=tmp_path / "runs")
    assert not (run.folder / "tensorboard").exists()
    assert "tensorboard" in Registry().names("observers")
