"""A small run, and processes that run it and are killed or made to fail on the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
SMALL = [
    "digits",
    "--seeds=1",
    "--name=run",
    "--runs-dir=.",
    "--set=arms=['pathnet', 'fine-tuning']",
    "--set=pool={modules=4, width=2, layers=[{kind='linear', units=3, repeat=2}]}",
    "--set=strategy.population=4",
    "--set=learner.n_batches=2",
    "--set=learner.batch_size=4",
    "--set=stages.*.generations=5",
    "--set=stages.*.task.copies=1",
    "--set=checkpoints.evaluations=3",
]
"""Two arms, two stages of ten evaluations; three checkpoints in each."""
CARTPOLE = [
    "cartpole",
    "--executor=inline",
    *SMALL[1:6],
    "--set=strategy.population=4",
    "--set=learner={name='a3c', num_envs=3, rollout_length=10, episodes=1, score_episodes=2}",
    "--set=stages.*.frames=600",
    "--set=checkpoints.evaluations=6",
]
"""The same of games: A3C plays CartPole on three lanes, so lanes are in the midst of episodes."""


@dataclass
class Ended:
    """How a process ended.

    Args:
        status: its exit status; less than 0 for a signal.
        out: what it said.
        left: how many processes it left behind.
    """

    status: int
    out: str
    left: int


class Driver:
    """Forks processes that run ``pathnet-evo``; see ``driver.py``.

    Args:
        small: the arguments of a small run.
        imports: modules that it needs.
    """

    def __init__(self, small: list[str] = SMALL, imports: Sequence[str] = ()) -> None:
        self.small = small
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "driver.py"), *imports],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def __call__(self, cwd: Path, *arguments: str, **order: Any) -> Ended:
        """Run a command in a folder; no traceback may come of it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        told = {"arguments": arguments, "cwd": str(cwd), "out": str(cwd / "output"), **order}
        self.process.stdin.write(json.dumps(told) + "\n")
        self.process.stdin.flush()
        ended = Ended(**json.loads(self.process.stdout.readline()))
        assert "Traceback" not in ended.out, ended.out
        return ended

    def go(self, cwd: Path, **order: Any) -> Ended:
        """Begin the small run, or go on with it if it was begun."""
        if (cwd / "run" / "run.toml").exists():
            return self(cwd, "resume", "run", **order)
        if (cwd / "run").exists():  # killed before anything of it was written
            for path in (cwd / "run").iterdir():
                path.unlink()
            (cwd / "run").rmdir()
        return self(cwd, "run", *self.small, **order)

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


def outcome(run: Path) -> dict[str, Any]:
    """All of a run that must be equal in equal runs, and nothing that should not be there."""
    summary = json.loads((run / "summary.json").read_text())
    for key in ("times", "about"):
        del summary[key]
    folders = sorted((run / "checkpoints").glob("*/*"))
    ends = [f"stage-{i}" for i in range(len(summary["stages"]))]
    assert [f.name for f in folders] == ends * len(summary["arms"])
    assert not list(run.rglob("*tmp*"))
    assert not (run / "lock").exists()
    weights = {
        f"{folder.parent.name}/{folder.name}": [
            (folder / name).read_bytes() for name in ("weights.safetensors", "state.json")
        ]
        for folder in folders
    }
    return {"summary": summary, "weights": weights}


@pytest.fixture(scope="session")
def drive():
    """Runs commands in forked processes."""
    driver = Driver()
    yield driver
    driver.close()


@pytest.fixture(scope="session")
def play():
    """Runs small games in forked processes."""
    driver = Driver(CARTPOLE, ["gymnasium", "pathnet_evo_a3c.evaluator"])
    yield driver
    driver.close()


@dataclass
class Whole:
    """The small run, as it is when nothing goes wrong.

    Args:
        folder: where it lies.
        outcome: what came of it.
        failpoints: the names of the failpoints that it passed.
    """

    folder: Path
    outcome: dict[str, Any]
    failpoints: list[str]


@pytest.fixture(scope="session")
def whole(drive, tmp_path_factory) -> Whole:
    """The small run that nothing happened to."""
    home = tmp_path_factory.mktemp("whole")
    ended = drive.go(home, log=str(home / "log"))
    assert ended.status == 0, ended.out
    run = home / "run"
    return Whole(run, outcome(run), json.loads((home / "log").read_text()))


@pytest.fixture(scope="session")
def halfway(drive, tmp_path_factory) -> Path:
    """The small run, killed in its second trial's second stage."""
    home = tmp_path_factory.mktemp("halfway")
    ended = drive.go(home, at=500)
    assert ended.status == -9, ended.out
    return home / "run"


@pytest.fixture(scope="session")
def outcome_of():
    """What must be equal of equal runs."""
    return outcome
