"""Workers as actors of Ray: messages, ends, and where they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from pathnet_evo import Supervised, Supervisor, WorkerLost
from pathnet_evo.plugins.files import PluginFile, import_file
from pathnet_evo_ray.packing import packed, unpacked
from pathnet_evo_ray.transport import RayTransport

pytestmark = pytest.mark.slow


def echo():
    """A worker that sends back what comes; nested, so that it is sent with its code."""

    def work(line, number):
        import os

        import torch

        devices = os.environ.get("CUDA_VISIBLE_DEVICES")
        line.send(("ready", number, torch.get_num_threads(), devices))
        while True:
            order = line.receive()
            if order == "return":
                return
            if order == "raise":
                raise LookupError("nowhere")
            line.send(order)

    return work


@pytest.fixture
def workers(joined):
    """Starts supervised workers; all of them end at the end."""
    started = []

    def start(work, transport=None):
        started.append(Supervisor(transport or RayTransport(), work, Supervised, "toy"))
        return started[-1]

    yield start
    for supervisor in started:
        supervisor.close()


def heard(supervisor, n):
    """The next n things that are heard."""
    found = []
    while len(found) < n:
        found += [message for _, message in supervisor.hear()]
    return found


def test_messages_and_ends(workers, joined):
    """Answers would be lost, out of order or another's; a worker's end would go unnoticed."""
    supervisor = workers(echo())
    for order, ended in [("return", "ended with status 0"), ("raise", "nowhere"), (None, "killed")]:
        worker = supervisor.start(7)
        assert heard(supervisor, 1)[0][:2] == ("ready", 7)
        numbers = torch.arange(200_000.0)
        for message in ("a", numbers[:100_000], "b"):
            worker.link.send(message)
        first, middle, last = heard(supervisor, 3)
        assert (first, last) == ("a", "b")
        assert torch.equal(middle, numbers[:100_000])
        middle += 1  # Ray's own memory can only be read
        if order:
            worker.link.send(order)
        else:
            joined.kill()
        (lost,) = heard(supervisor, 1)
        assert isinstance(lost, WorkerLost)
        assert ended in lost.ended
        assert f"process {lost.where.split()[1]} on node" in lost.where
        worker.link.send("nobody is there, and nothing happens")
    assert supervisor.members == []


def test_two_share_a_gpu(workers, joined):
    """A trial would take a GPU that is another's, or as many threads as the node has."""
    with joined.also(cpus=4, gpus=1):
        supervisor = workers(echo(), RayTransport(cpus=2, gpus=0.5))
        for number in range(2):
            supervisor.start(number)
        assert sorted(heard(supervisor, 2)) == [("ready", n, 2, "0") for n in range(2)]
        supervisor.close()


def test_plugin_files_come_along(workers, tmp_path: Path):
    """A node without the user's file could not run a trial, or would run another file."""
    file = tmp_path / "mine.py"
    file.write_text(
        "from pathnet_evo import hookimpl\n"
        "class Mine:\n    value = 42\n"
        "@hookimpl\ndef register_tasks(register):\n    pass\n"
    )
    module, recorded = import_file(PluginFile(path=str(file)))
    file.unlink()

    def work(line, number):
        from pathnet_evo import Registry

        Registry(files=[recorded])
        line.send(line.receive().value)

    supervisor = workers(work)
    supervisor.start(0).link.send(module.Mine)
    assert heard(supervisor, 1)[0] == 42


@pytest.mark.parametrize(
    "value",
    [
        torch.arange(6).reshape(2, 3).T,
        torch.zeros(3, dtype=torch.bfloat16),
        torch.ones(2, requires_grad=True),
        torch.randn(3, dtype=torch.complex64).conj(),
        torch.nn.Parameter(torch.ones(2)),
        torch.tensor(1.0),
        torch.eye(3).to_sparse(),
    ],
    ids=["view", "bfloat16", "with gradients", "conjugate", "parameter", "number", "sparse"],
)
def test_tensors_arrive_as_they_are(value):
    """A worker would train on other numbers, or on another kind of tensor."""
    found = unpacked(packed([value, value]))
    assert found[0] is found[1]
    assert type(found[0]) is type(value)
    assert found[0].dtype == value.dtype
    assert found[0].requires_grad == value.requires_grad
    assert torch.equal(found[0].to_dense(), value.to_dense())


def test_a_view_leaves_its_storage_behind():
    """One lease would carry the whole pool."""
    assert len(packed(torch.zeros(10**6)[:10])) < 1000


def test_the_environment_stays(joined):
    """A run would change the process that it was started in."""
    assert "RAY_AUTH_TOKEN" not in os.environ
