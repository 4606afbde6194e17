"""The command line on Ray, as documented, and runs whose own process is stopped or killed."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pathnet_evo import launch, resume
from pathnet_evo.running.checking import inspect
from pathnet_evo.store.lineage import digest

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "run-on-a-cluster.md").read_text()
SHORT = [
    "seeds=1",
    "arms=['pathnet', 'fine-tuning']",
    "strategy.population=4",
    "stages.*.generations=3",
    "stages.*.task.copies=1",
    "transfer.prior=false",
    "learner.n_batches=2",
    "checkpoints.evaluations=2",
]
LONG = [*SHORT, "stages.*.generations=60", "checkpoints.evaluations=20"]
ENDLESS = [*SHORT, "stages.*.generations=100000"]
"""Of the preset ``digits``: two trials of a moment, of some seconds, and without an end."""


def documented(begins: str) -> list[str]:
    """The command of the page that begins so, as arguments."""
    found = [
        line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.M | re.S)
        for line in block.splitlines() if line.startswith(begins)
    ]  # fmt: skip
    assert found, begins
    return shlex.split(found.pop(0))[1:]


def sets(settings: list[str]) -> list[str]:
    """Settings as options."""
    return [part for setting in settings for part in ("--set", setting)]


@pytest.fixture
def started(tmp_path: Path):
    """Start the program as a user would, in a folder of its own."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **variables: str) -> subprocess.Popen[str]:
        env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error", **variables}
        code = "from pathnet_evo.cli import main; main()"
        running.append(
            subprocess.Popen(
                [sys.executable, "-c", code, *arguments],
                cwd=tmp_path,
                env=env,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        )
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def within(run: Path) -> list[Path]:
    """Checkpoints within a stage."""
    return list(run.glob("checkpoints/*/stage-*-round-*/MANIFEST.json"))


def test_a_local_ray_starts_stops_and_is_resumed_without(
    started, wait_until, is_alone, tmp_path: Path
) -> None:
    """The first command of the page would fail, need a home folder, or leave processes."""
    run = tmp_path / "runs" / "digits"
    first = started(*documented("pathnet-evo run"), *sets(LONG), HOME="/proc/none")
    wait_until(lambda: within(run) or first.poll() is not None, "no checkpoint came")
    first.send_signal(signal.SIGINT)
    out, err = first.communicate(timeout=120)
    assert first.returncode == 130, err
    assert "Traceback" not in err
    assert "(raylet)" not in out
    assert "to resume: pathnet-evo resume runs/digits" in err
    wait_until(lambda: is_alone(first.pid), "processes are left")
    again = started(*documented("pathnet-evo resume"))
    assert again.communicate(timeout=120)[1].count("Traceback") == 0
    assert again.returncode == 0
    plain = launch("digits", LONG, runs_dir=tmp_path / "plain")
    assert digest(run / "lineage.sqlite") == digest(plain.folder / "lineage.sqlite")


def test_on_a_cluster_a_killed_driver_loses_nothing(
    nodes, started, wait_until, tmp_path: Path
) -> None:
    """A run of days would be lost with the machine that it was started on."""
    run = tmp_path / "runs" / "digits"
    command = documented("pathnet-evo run digits --executor ray --set executor.address=auto")
    first = started(*command, *sets(LONG), RAY_ADDRESS=nodes.address)
    wait_until(lambda: within(run) or first.poll() is not None, "no checkpoint came")
    first.kill()
    wait_until(lambda: not nodes.workers(), "trials outlived the run")
    wait_until(lambda: not nodes.workers("ray::Keeper"), "the keeper outlived the run")
    run_again = resume(run, [f"executor={{name = 'ray', address = '{nodes.address}'}}"])
    assert run_again.summary["state"] == "finished"
    assert not inspect(run).problems
    plain = launch("digits", LONG, runs_dir=tmp_path / "plain")
    assert digest(run / "lineage.sqlite") == digest(plain.folder / "lineage.sqlite")


def test_json_alone_is_printed(nodes, started, tmp_path: Path) -> None:
    """A script that reads the summary would read what Ray has to say."""
    on = ["--executor", "ray", "--set", f"executor.address={nodes.address}", "--json"]
    out, err = started("run", "digits", *on, *sets(SHORT)).communicate(timeout=120)
    assert json.loads(out)["state"] == "finished", err
    assert err == ""
