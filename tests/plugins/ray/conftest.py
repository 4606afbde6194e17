"""A cluster of three nodes on this machine, and what the tests do to it."""

from __future__ import annotations

import os
import signal
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pathnet_evo_ray.cluster import connected

STORE = 80 * 2**20
"""Bytes of a node's object store: the least that Ray takes."""
SOON = {"health_check_period_ms": 500, "health_check_timeout_ms": 1000, "worker_niceness": 0}
"""A node that does not answer is given up after some seconds; workers do not wait for others."""
WITHIN = 60.0
"""Seconds in which whatever is waited for happens."""


def until(condition: Callable[[], Any], what: str) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@contextmanager
def handlers_kept() -> Iterator[None]:
    """Keep this process's handler of SIGTERM, which a node that it starts replaces."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Nodes:
    """A head without CPUs, and two nodes that hold one trial each."""

    @handlers_kept()
    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "include_dashboard": False, "_system_config": SOON}
        self.cluster = Cluster(
            initialize_head=True,
            head_node_args={**head, "object_store_memory": STORE},
        )
        self.folder = folder
        for _ in range(2):
            self.add()

    @property
    def address(self) -> str:
        """Where a driver joins."""
        return str(self.cluster.address)

    @handlers_kept()
    def add(self, cpus: int = 1, gpus: int = 0, environment: Mapping[str, str] = {}) -> Any:
        """Add a node."""
        return self.cluster.add_node(
            num_cpus=cpus,
            num_gpus=gpus,
            object_store_memory=STORE,
            env_vars=dict(environment),
        )

    @contextmanager
    def also(self, **options: Any) -> Iterator[Any]:
        """One more node, as long as the block lasts."""
        node = self.add(**options)
        try:
            yield node
        finally:
            self.cluster.remove_node(node)

    def remove(self) -> None:
        """End a node that runs a trial, as a machine that loses power, and add one in its place."""
        homes = [parent_of(process) for process in self.workers()]
        others = self.cluster.worker_nodes
        raylets = {node.all_processes["raylet"][0].process.pid: node for node in others}
        node = next(raylets[home] for home in homes if home in raylets)
        self.cluster.remove_node(node, allow_graceful=False)
        self.add()

    def workers(self, name: str = "ray::RayWorker") -> list[int]:
        """The processes of this cluster that run trials."""
        return [
            process
            for process, title in processes()
            if title.startswith(name) and str(self.folder) in title_of(parent_of(process))
        ]

    def kill(self) -> None:
        """Kill a process that runs a trial."""
        os.kill(self.workers()[0], signal.SIGKILL)


def processes() -> list[tuple[int, str]]:
    """All processes, and their titles."""
    numbers = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [(number, title_of(number)) for number in numbers]


def title_of(process: int) -> str:
    """What lists of processes show; nothing of one that is gone."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text(errors="replace").replace("\0", " ")
    except OSError:
        return ""


def parent_of(process: int) -> int:
    """The process that started one."""
    return state_of(process)[1]


def state_of(process: int) -> tuple[str, int, int]:
    """A process's state, parent and session; a zombie without any where it is gone."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return "Z", 0, 0
    state, parent, _, session = stat.rpartition(")")[2].split()[:4]
    return state, int(parent), int(session)


@pytest.fixture(scope="session")
def wait_until() -> Callable[[Callable[[], Any], str], None]:
    """Wait until something is so."""
    return until


@pytest.fixture(scope="session")
def is_alone() -> Callable[[int], bool]:
    """Whether nothing of a session is left."""

    def over(session: int) -> bool:
        states = [state_of(process) for process, _ in processes()]
        return not any(state[0] != "Z" and state[2] == session for state in states)

    return over


@pytest.fixture(scope="session")
def environment() -> Iterator[pytest.MonkeyPatch]:
    """The environment of all processes."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield monkeypatch


@pytest.fixture(scope="session")
def nodes(environment: pytest.MonkeyPatch) -> Iterator[Nodes]:
    """The cluster; nothing of it is left at the end."""
    with tempfile.TemporaryDirectory(prefix="pe-", dir="/tmp", ignore_cleanup_errors=True) as name:
        environment.setenv("RAY_TMPDIR", name)  # where Ray's files are, and the address of `auto`
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = Nodes(Path(name))
        try:
            yield made
        finally:
            made.cluster.shutdown()
            until(lambda: not [t for _, t in processes() if name in t], "processes are left")


@pytest.fixture(scope="session")
def joined(nodes: Nodes) -> Iterator[Nodes]:
    """The cluster, with this process connected to it."""
    with connected(nodes.address):
        yield nodes
