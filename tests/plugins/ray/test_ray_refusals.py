"""What cannot run on Ray is refused on one line, and costs nothing else."""

from __future__ import annotations

import importlib.util
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from pathnet_evo import RunFailed, launch
from pathnet_evo.interfaces.records import Checkpointed, Record

RAY = "executor={name = 'ray'%s}"
SITE = """
import importlib.metadata, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0].startswith("pathnet_evo"):
            raise ModuleNotFoundError(f"No module named {name!r}")

def gone(name):
    raise importlib.metadata.PackageNotFoundError(name)

sys.meta_path.insert(0, Blocked())
importlib.metadata.requires = gone
"""
"""Makes a Python one that pathnet-evo is not installed in."""


def refused(command, *options: str) -> str:
    """The line with which a run is refused."""
    done = command("run", "digits", *options)
    assert done.status == 2, done.err
    assert not Path("runs").exists()
    (line,) = done.err.strip().splitlines()
    return line


def test_without_ray(command, monkeypatch):
    """Who has not asked for Ray would need it, or be told nothing of how to get it."""
    find = importlib.util.find_spec
    absent = lambda name, *rest: None if name == "ray" else find(name, *rest)  # noqa: E731
    monkeypatch.setattr(importlib.util, "find_spec", absent)
    line = refused(command, "--executor", "ray")
    assert line.endswith("ray needs Ray, which is not installed: pip install 'pathnet-evo[ray]'")


@pytest.mark.slow
def test_ray_is_imported_only_when_it_is_used():
    """Every command would wait for Ray, and need it."""
    code = (
        "import sys\nsys.modules['ray'] = None\n"
        "from pathnet_evo import Registry\nfrom pathnet_evo.setup import preparing\n"
        "from pathnet_evo import presets\n"
        "registry = Registry()\n"
        "assert registry.get('executors', 'ray')\n"
        "for name in presets.names():\n"
        "    config, _ = preparing.configure(name, (), registry)\n"
        "    if config.sources is None:\n"
        "        preparing.ready(config, registry, rehearse=False)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            "cpus_per_trial = 1.5",
            "executor.cpus_per_trial: a whole number, or a fraction of one, got 1.5",
        ),
        ("cpus_per_trial = 0", "cpus_per_trial: input should be greater than 0"),
        ("cpus_per_trial = 4096", "a trial needs 4096 CPUs, but this machine has"),
        ("gpus_per_trial = 99", "a trial needs 1 CPUs and 99 GPUs, but this machine has"),
        ("adress = 'auto'", 'executor.adress: unknown key. Did you mean "address"?'),
        ("store = '/proc/none'", "store /proc/none: cannot be written here (No such file"),
        ("store = 'nosuch://here'", "store nosuch://here: cannot be written here (ValueError: "),
    ],
)
def test_bad_options(command, options, message):
    """A misspelt option would be found out in the middle of a run."""
    assert message.lower() in refused(command, "--set", RAY % f", {options}").lower()


def test_no_cluster(command):
    """Ray would try for minutes, and end in a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for address, message in [
        (f"127.0.0.1:{port}", f"executor: no cluster at 127.0.0.1:{port}"),
        ("ray://head:10001", "expected HOST:PORT or auto; start the run on a node of the cluster"),
        ("head", "address head: expected HOST:PORT or auto"),
    ]:
        line = refused(command, "--executor", "ray", "--set", f"executor.address={address}")
        assert message in line


def test_a_device_that_trials_do_not_have(command):
    """Trials would be told to use a GPU that the cluster does not give them."""
    line = refused(command, "--executor", "ray", "--device", "cuda")
    assert "device: executor ray gives its trials no GPU; use auto or cpu" in line


@pytest.mark.slow
class TestNodes:
    @pytest.fixture(autouse=True)
    def _on(self, joined, command):
        """Refuse a run on the cluster."""
        self.on = lambda *options: refused(
            command, "--executor", "ray", "--set", f"executor.address={joined.address}", *options
        )

    def test_no_node_has_room(self):
        """A run would wait for ever."""
        line = self.on("--set", "executor.cpus_per_trial=3")
        assert "a trial needs 3 CPUs, but the largest node (" in line
        assert line.endswith("has 1 CPUs: lower cpus_per_trial or gpus_per_trial")
        line = self.on("--set", "executor.gpus_per_trial=0.5")
        assert "a trial needs 1 CPUs and 0.5 GPUs, but the largest node" in line

    def test_a_store_that_nodes_do_not_share(self):
        """Checkpoints would lie where nobody finds them."""
        line = self.on("--set", "executor.store=memory://of-a-process")
        assert "store memory://of-a-process: cannot be used from node" in line
        assert line.endswith("(it is another storage there)")

    def test_other_versions(self, joined, tmp_path):
        """A trial would give other results on one node than on another."""
        info = tmp_path / "site" / "deap-0.0.1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: deap\nVersion: 0.0.1\n")
        with joined.also(cpus=3, environment={"PYTHONPATH": str(info.parent)}):
            line = self.on("--set", "executor.cpus_per_trial=3")
        assert "has deap 0.0.1 (here 1." in line
        assert line.endswith("): install the same versions there")

    def test_a_node_without_the_package(self, joined, tmp_path):
        """The first trial on it would end in a traceback of Ray's."""
        (tmp_path / "site").mkdir()
        (tmp_path / "site" / "sitecustomize.py").write_text(SITE)
        with joined.also(cpus=3, environment={"PYTHONPATH": str(tmp_path / "site")}):
            line = self.on("--set", "executor.cpus_per_trial=3")
        assert "lacks pathnet-evo: install pathnet-evo[ray] there as it is here" in line


@pytest.mark.slow
def test_a_trial_that_is_lost_for_good(joined, tmp_path):
    """One trial's trouble would end the whole run, or be tried for ever."""
    settings = [
        "seeds=1",
        "arms=['pathnet', 'fine-tuning']",
        "strategy.population=4",
        "stages.*.generations=60",
        "stages.*.task.copies=1",
        "learner.n_batches=2",
        "checkpoints.evaluations=20",
        RAY % f", address = '{joined.address}', retries = 0",
    ]
    kills = [joined.kill]

    def on_record(record: Record) -> None:
        if isinstance(record, Checkpointed) and kills:
            kills.pop()()

    with pytest.raises(RunFailed, match="the process of the trial was killed, or crashed"):
        launch("digits", settings, runs_dir=tmp_path, name="run", on_record=on_record)
    states = states_of(tmp_path / "run" / "lineage.sqlite")
    assert states == ["failed", "finished"]


def states_of(lineage: Path) -> list[str]:
    """How the trials of a run ended."""
    with closing(sqlite3.connect(lineage)) as db:
        return sorted(state for (state,) in db.execute("SELECT state FROM trials"))
