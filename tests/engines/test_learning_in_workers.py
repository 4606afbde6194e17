"""Columns, schedules and kept momentum, where evaluations run in worker processes."""

import sqlite3
from contextlib import closing

import pytest

import pathnet_evo

pytestmark = pytest.mark.slow

SETTINGS = [
    "seeds=1",
    "arms=['pathnet']",
    "transfer.connect='lateral'",
    "transfer.prior=false",
    "strategy={name='racing', population=2}",
    "learner.n_batches=4",
    "learner.batch_size=4",
    "learner.schedule='cosine'",
    "stages.*.generations=3",
    "stages.*.task.copies=1",
]


def fitnesses(folder):
    """What every evaluation came to."""
    with closing(sqlite3.connect(folder / "lineage.sqlite")) as db:
        return db.execute("SELECT stage, candidate, fitness, metrics FROM evaluations").fetchall()


@pytest.mark.parametrize("option", ["learner.momentum=0.9", "learner.optimizer='Adam'"])
def test_one_worker_learns_as_the_trial_itself(tmp_path, option):
    """Broken: a worker would train without momentum, at another rate, or hear other columns."""
    runs = [
        pathnet_evo.launch(
            "digits",
            [*SETTINGS, option, f"engine={engine}"],
            runs_dir=tmp_path,
            name=name,
        )
        for name, engine in (("here", "'inline'"), ("there", "{name='processes', workers=1}"))
    ]
    here, there = (fitnesses(run.folder) for run in runs)
    assert len(here) == 12
    assert here == there
