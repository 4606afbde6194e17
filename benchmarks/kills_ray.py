"""Kills on a Ray cluster, many times: ``kills_ray.py [KILLS] [images|cartpole]``.

A run with executor ``ray`` on a cluster of three nodes loses, at random times, a worker (SIGKILL),
a node, or its own process, and is resumed on Ray or without it, until it ends; then everything of
it is compared with an inline run. Ends with status 1 if anything was lost or wrong, or if a process
or shared memory outlived it.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

TESTS = Path(__file__).parents[1] / "tests"
MOST = 8
"""Kills of one run, so that it ends."""
LONGEST = 15.0
"""The most seconds before a kill; a worker takes some to start."""
MEMORY = Path("/dev/shm")  # noqa: S108
"""Where shared memory has names."""
PROGRAM = [sys.executable, "-c", "from pathnet_evo.cli import main; main()"]


def loaded(name: str, path: Path) -> ModuleType:
    """A module of the tests, by its file."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


survival = loaded("survival", TESTS / "survival" / "conftest.py")
ray_tests = loaded("ray_tests", TESTS / "plugins" / "ray" / "conftest.py")
RUNS = {
    "images": [
        *survival.SMALL,
        "--set=stages.*.generations=60",
        "--set=checkpoints.evaluations=20",
    ],
    "cartpole": [
        *survival.CARTPOLE,
        "--set=stages.*.frames=6000",
        "--set=checkpoints.evaluations=9",
    ],
}
"""By name: the arguments of a run of some seconds, with a checkpoint every quarter of one."""


def start(arguments: list[str], home: Path) -> subprocess.Popen[bytes]:
    """Start the program in a folder."""
    with (home / "log").open("ab") as log:
        return subprocess.Popen([*PROGRAM, *arguments], cwd=home, stdout=log, stderr=log)


class Chaos:
    """One run after another, each with kills; how many of each kind there were.

    Args:
        nodes: the cluster.
        small: the run's arguments.
    """

    def __init__(self, nodes: Any, small: list[str]) -> None:
        self.nodes, self.small = nodes, small
        self.kills: Counter[str] = Counter()
        self._random = random.Random(int(time.time()))

    def run(self, home: Path, most: int) -> int:
        """Run with some kills; the status of its last session."""
        on_ray = f"--set=executor={{name='ray', address='{self.nodes.address}', retries=1000}}"
        process = start(["run", *self.small, on_ray], home)
        killed, where = 0, "ray"
        while (status := self._awaited(process, killed < most)) is None:
            kind = self._random.choice(["worker"] * 4 + ["node"] * 2 + ["driver"])
            if kind == "driver":
                process.kill()
                process.wait()
                begun = (home / "run" / "run.toml").is_file()
                where = self._random.choice(["ray", "ray", "ray", "inline"]) if begun else "ray"
                executor = on_ray if where == "ray" else "--set=executor=inline"
                again = ["resume", "run", executor] if begun else ["run", *self.small, executor]
                process = start(again, home)
            elif where == "inline" or not self.nodes.workers():
                continue
            elif kind == "worker":
                self.nodes.kill()
            else:
                self.nodes.remove()
            killed += 1
            self.kills[kind] += 1
        return status

    def _awaited(self, process: subprocess.Popen[bytes], more: bool) -> int | None:
        """Wait for the moment of the next kill, or for the end; the status if it came first."""
        try:
            return process.wait(self._random.uniform(0.5, LONGEST) if more else None)
        except subprocess.TimeoutExpired:
            return None


def different(run: Path, wanted: dict[str, Any]) -> bool:
    """Whether a run differs from the one that was not killed; says in what."""
    try:
        found = survival.outcome(run)
    except (AssertionError, OSError) as error:
        print(f"{run}: {error!r}", flush=True)
        return True
    for part, values in wanted.items():
        for key, value in values.items():
            if found[part].get(key) != value:
                print(f"{run}: {part} {key} differs", flush=True)
    return bool(found != wanted)


def main() -> None:
    """Do it, and print a row."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    small = RUNS[sys.argv[2] if len(sys.argv) > 2 else "images"]
    os.environ["OMP_NUM_THREADS"] = "1"
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    memory = set(os.listdir(MEMORY))
    began, runs, lost, wrong = time.monotonic(), 0, 0, 0
    with tempfile.TemporaryDirectory(prefix="pe-", dir="/tmp", ignore_cleanup_errors=True) as name:
        home = Path(name)
        os.environ["RAY_TMPDIR"] = name
        (home / "whole").mkdir()
        assert start(["run", *small], home / "whole").wait() == 0
        wanted = survival.outcome(home / "whole" / "run")
        nodes = ray_tests.Nodes(home)
        chaos = Chaos(nodes, small)
        while chaos.kills.total() < number:
            folder = home / f"run-{runs}"
            folder.mkdir()
            runs += 1
            status = chaos.run(folder, min(MOST, number - chaos.kills.total()))
            if status:
                print((folder / "log").read_text(errors="replace")[-2000:], flush=True)
            lost += bool(status)
            wrong += not status and different(folder / "run", wanted)
            ray_tests.until(lambda: not nodes.workers() + nodes.workers("ray::Keeper"), "left")
            what = ", ".join(f"{n} {kind}s" for kind, n in sorted(chaos.kills.items()))
            print(f"{what} killed in {runs} runs: {lost} lost, {wrong} wrong", flush=True)
        nodes.cluster.shutdown()
        ray_tests.until(lambda: not [t for _, t in ray_tests.processes() if name in t], "left")
    left = set(os.listdir(MEMORY)) - memory
    minutes = (time.monotonic() - began) / 60
    print(f"shared memory left: {sorted(left) or 'none'} ({minutes:.1f} minutes)")
    sys.exit(bool(lost or wrong or left))


if __name__ == "__main__":
    main()
