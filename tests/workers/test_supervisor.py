"""Workers are started, heard, timed, replaced and ended in one way, whatever carries messages."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pathnet_evo.engines.inline import InlineEngine
from pathnet_evo.engines.worker_engine import WorkerEngine
from pathnet_evo.interfaces.tasks import SupervisedTask
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.testing.learners import bench, evaluate
from pathnet_evo.workers.messages import WorkerLost
from pathnet_evo.workers.pipes import Pipes
from pathnet_evo.workers.supervisor import Supervised, Supervisor
from pathnet_evo.workers.transport import UnsendableError

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def toys():
    """The module of the workers, importable here and in every worker."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(str(HERE))
        import toy_workers

        yield toy_workers


@pytest.fixture(params=["pipes", "by value"])
def workers(request, toys):
    """A supervisor of echoing workers; all of them end at the end."""
    transport = Pipes() if request.param == "pipes" else toys.ByValue()
    supervisor = Supervisor(transport, toys.echo, Supervised, "toy")
    yield supervisor
    supervisor.close()


def heard(supervisor, n):
    """The next n things that are heard; a worker's first message makes it ready."""
    found = []
    while len(found) < n:
        for worker, message in supervisor.hear():
            worker.ready = True
            worker.beat()
            found.append((worker.number, message))
    return found


FIRST = """
import os, signal, toy_workers
from pathnet_evo.workers.pipes import Pipes

if __name__ == "__main__":
    transport = Pipes()
    link = transport.start(toy_workers.echo, 0, "first")
    os.kill(link.process.pid, signal.SIGINT)
    transport.wait([link], 60)
    print(*link.received(), flush=True)
    link.kill()
"""


def test_ctrl_c_spares_the_first_worker_of_a_process(tmp_path):
    """Ctrl-C in the first seconds of a run would print a traceback of each worker's imports."""
    (tmp_path / "first.py").write_text(FIRST)
    done = subprocess.run(
        [sys.executable, "first.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(HERE)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("('ready', 0)\n", "")


def test_messages_come_whole_and_in_order(workers):
    """A worker's answers would be taken for another's, or for those to another question."""
    for number in (0, 1):
        workers.start(number)
    assert sorted(heard(workers, 2)) == [(0, ("ready", 0)), (1, ("ready", 1))]
    for worker in workers.members:
        for i in range(3):
            worker.link.send((worker.number, i))
    found = heard(workers, 6)
    for number in (0, 1):
        assert [m for n, m in found if n == number] == [(number, i) for i in range(3)]


def test_what_a_worker_said_comes_before_its_end(workers):
    """An evaluation that was over would be lost with the process that died after it."""
    worker = workers.start(3)
    heard(workers, 1)
    worker.link.send("die")
    (_, said), (_, lost) = heard(workers, 2)
    assert said == "dying"
    assert lost == WorkerLost(worker.link.where, "was killed by signal 9")
    assert workers.members == []
    worker.link.send("nobody is there, and nothing happens")


def test_one_that_returns_has_ended(workers):
    """A worker that ends without a word would be waited for."""
    worker = workers.start(0)
    heard(workers, 1)
    worker.link.send("return")
    ((_, lost),) = heard(workers, 1)
    assert lost.ended == "ended with status 0"


def test_silence_counts_where_something_is_awaited(workers):
    """A worker that hangs would hold up a run for ever, or one that is idle be taken to hang."""

    class Asked(Supervised):
        asked = False

        @property
        def awaited(self):
            return self.asked

    workers._member = Asked
    workers.timeout = 0.3
    worker = workers.start(0)
    heard(workers, 1)
    for _ in range(5):
        assert list(workers.hear()) == []
    worker.link.send("hang")
    worker.asked = True
    ((_, lost),) = heard(workers, 1)
    assert (lost.ended, lost.overdue) == ("was killed by signal 9", 0.3)


def test_one_that_never_starts_is_overdue(workers, toys):
    """A worker whose imports hang would hold up a run for ever."""
    hanging = Supervisor(workers.transport, toys.never_ready, Supervised, "toy")
    hanging.start_timeout = 0.3
    hanging.start(0)
    ((_, lost),) = heard(hanging, 1)
    assert lost.overdue == 0.3


def test_restarts_are_counted(workers):
    """On a machine on which every worker dies, processes would be started without an end."""
    workers.restarts = 1
    first = workers.start(7)
    heard(workers, 1)
    workers.lose(first)
    second = workers.replace(first)
    assert second is not None
    assert second.number == 7
    assert heard(workers, 1) == [(7, ("ready", 7))]
    workers.lose(second)
    assert workers.replace(second) is None


def test_what_cannot_be_sent_is_said(workers):
    """A task with a lock in it would end in a traceback of pickle's."""
    worker = workers.start(0)
    with pytest.raises(UnsendableError, match="lambda"):
        worker.link.send(lambda: None)
    assert heard(workers, 1) == [(0, ("ready", 0))]


@pytest.mark.parametrize(
    ("parents", "numbers"), [(False, ["SIGINT"]), (True, ["SIGINT", "SIGTERM"])]
)
def test_signals_are_for_the_supervisor_alone(toys, parents, numbers):
    """Ctrl-C would end the processes of a run before it could take its last checkpoints."""
    workers = Supervisor(Pipes(), toys.echo, Supervised, "toy", parents)
    try:
        worker = workers.start(0)
        for name in numbers:  # in the process's first moment
            os.kill(worker.link.process.pid, getattr(signal, name))
        assert heard(workers, 1) == [(0, ("ready", 0))]
        for name in numbers:
            os.kill(worker.link.process.pid, getattr(signal, name))
        worker.link.send("still there")
        assert heard(workers, 1) == [(0, "still there")]
    finally:
        workers.close()


def test_all_end_when_nobody_wants_them(toys):
    """Processes of a stage that failed would stay until the program ends."""
    workers = Supervisor(Pipes(), toys.echo, Supervised, "toy")
    process = workers.start(0).link.process
    del workers
    assert process.exitcode == -signal.SIGKILL


def rings(n=48):
    """Points within a ball, and outside it."""
    x = torch.randn(n, 6, generator=torch.Generator().manual_seed(0))
    y = (x.norm(dim=1) > 2.4).long()
    return SupervisedTask("rings", x, y, x + 0.1, y, 2)


def test_an_engine_learns_the_same_where_memory_is_not_shared(toys):
    """Workers on other machines would train weights that never reach the pool."""

    class Elsewhere(WorkerEngine):
        def transport(self):
            return toys.ByValue()

    sgd = Registry().get("learners", "sgd")(n_batches=3, batch_size=4)
    results = []
    for engine in (InlineEngine(), Elsewhere(workers=1)):
        made = bench(sgd, rings())
        evaluator = engine.evaluator(sgd, made.context)
        done = evaluate(evaluator, made.candidates(6))
        evaluator.close()
        engine.close()
        results.append(([e.fitness for e in done], made.weights()))
    assert results[0][0] == results[1][0]
    assert all(map(torch.equal, results[0][1], results[1][1]))
