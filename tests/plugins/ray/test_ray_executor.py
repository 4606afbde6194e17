"""Trials on a cluster of Ray: what they give, and what becomes of them when processes die."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from pathnet_evo import Executor, launch, load_run
from pathnet_evo.interfaces.records import Checkpointed, Record, TrialLost
from pathnet_evo.running.checking import inspect
from pathnet_evo.store.lineage import digest
from pathnet_evo.testing import ExecutorContract
from pathnet_evo_ray.executor import RayExecutor

pytestmark = pytest.mark.slow

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


def on(nodes, **options: object) -> str:
    """The setting that runs trials on the cluster."""
    given = {"address": nodes.address, **options}
    texts = [f"{key} = {json.dumps(value)}" for key, value in given.items() if value is not None]
    return f"executor={{name = 'ray', {', '.join(texts)}}}"


@pytest.fixture(scope="module")
def inline(tmp_path_factory) -> str:
    """The digest of the small run, inline."""
    folder = tmp_path_factory.mktemp("inline")
    return digest(launch("digits", SMALL, runs_dir=folder).folder / "lineage.sqlite")


class TestRay(ExecutorContract):
    @pytest.fixture(autouse=True)
    def _nodes(self, joined) -> None:
        self.nodes = joined

    def executor(self) -> Executor:
        return RayExecutor(address=self.nodes.address)

    def kill(self) -> bool:
        self.nodes.kill()
        return True


@pytest.mark.parametrize("through", ["ray", "shared storage", "the folder of runs"])
def test_a_run_equals_the_one_inline(
    joined, inline, wait_until, tmp_path: Path, through: str
) -> None:
    """Results would depend on where they were computed, or each run leave a process behind."""
    shared = tmp_path / "shared"
    runs = tmp_path / "runs"
    store = {"ray": None, "shared storage": f"file://{shared}", "the folder of runs": str(runs)}
    run = launch("digits", [*SMALL, on(joined, store=store[through])], runs_dir=runs)
    assert run.summary["state"] == "finished"
    assert digest(run.folder / "lineage.sqlite") == inline
    assert not inspect(run.folder).problems
    assert not shared.exists() or not list(shared.iterdir())
    wait_until(lambda: not joined.workers("ray::Keeper"), "a process is left")


def test_lost_workers_and_nodes_cost_nothing(joined, tmp_path: Path) -> None:
    """A trial of days would be lost with the machine that it ran on."""
    long = [*SMALL, "stages.*.generations=60", "checkpoints.evaluations=20"]
    plain = launch("digits", long, runs_dir=tmp_path, name="plain")
    accidents, lost = [joined.kill, joined.remove], []

    def on_record(record: Record) -> None:
        if isinstance(record, TrialLost):
            lost.append(record.cause)
        if isinstance(record, Checkpointed) and len(accidents) == 2 - len(lost) > 0:
            accidents.pop(0)()

    run = launch("digits", [*long, on(joined)], runs_dir=tmp_path, name="run", on_record=on_record)
    assert run.summary["state"] == "finished"
    assert digest(run.folder / "lineage.sqlite") == digest(plain.folder / "lineage.sqlite")
    assert not inspect(run.folder).problems
    assert not list(run.folder.rglob("*.tmp-*"))
    assert "was killed, or crashed (process " in lost[0]
    assert "was lost with its node" in lost[1]


def test_ctrl_c_ends_trials_that_wait_for_room(joined, tmp_path: Path) -> None:
    """Ctrl-C on a full cluster would wait for trials that never begin."""
    endless = [*SMALL, "stages.*.generations=100000", "seeds=2", on(joined, workers=4)]

    presses = [signal.SIGINT]

    def on_record(record: Record) -> None:
        if isinstance(record, Checkpointed) and presses:
            signal.raise_signal(presses.pop())

    with pytest.raises(KeyboardInterrupt):
        launch("digits", endless, runs_dir=tmp_path, name="run", on_record=on_record)
    assert load_run(tmp_path / "run").summary["state"] == "interrupted"
    assert not inspect(tmp_path / "run").problems
