"""Evaluations on workers of Ray."""

import inspect
import os
import re
import signal
from pathlib import Path

import pytest
import torch

from pathnet_evo.core.kinds import Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.errors import UserError
from pathnet_evo.interfaces.evaluations import Candidate, StageFailed
from pathnet_evo.interfaces.learners import LearningContext
from pathnet_evo.interfaces.tasks import SupervisedTask
from pathnet_evo.plugins.files import PluginFile, import_file
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.running import runner
from pathnet_evo.store.lineage import digest
from pathnet_evo.testing import EngineContract
from pathnet_evo_ray.engine import RayEngine

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("joined")]

HALF = 0.5
"""CPUs of a worker, so that three fit on two cores."""
OPEN = []


class Reused(RayEngine):
    """One set of workers for all checks of the contract, which closes nothing."""

    def evaluator(self, learner, context):
        """Close the evaluator before."""
        self.close_last()
        OPEN.append(super().evaluator(learner, context))
        return OPEN[-1]

    def close_last(self):
        """Give the workers back."""
        while OPEN:
            OPEN.pop().close()


@pytest.fixture(scope="module")
def toy():
    """The toy learner of the engines' tests, in a file that workers are sent."""
    file = Path(__file__).parents[2] / "engines" / "toy_learner.py"
    return import_file(PluginFile(path=str(file)))[0].Toy


@pytest.fixture(scope="module")
def two(toy):
    """An engine with two workers."""
    engine = Reused(workers=2, cpus_per_worker=HALF)
    yield engine
    engine.close_last()
    engine.close()


def rings(n=48):
    """Points within a ball, and outside it."""
    x = torch.randn(n, 6, generator=torch.Generator().manual_seed(0))
    y = (x.norm(dim=1) > 2.4).long()
    return SupervisedTask("rings", x, y, x + 0.1, y, 2)


CHECKS = [n for n, _ in inspect.getmembers(EngineContract, inspect.isfunction) if n[:5] == "test_"]


@pytest.mark.parametrize("check", CHECKS)
def test_contract(two, check):
    """Strategies could tell workers of a cluster from a learner's own evaluator."""

    class There(EngineContract):
        repeats = False

        def engine(self):
            return two

        def learner(self):
            return Registry().get("learners", "sgd")(n_batches=3, batch_size=4)

        def task(self):
            return rings()

    getattr(There(), check)()


SMALL = {
    "seeds": 1,
    "arms": ["pathnet"],
    "pool": {"modules": 6, "width": 2, "layers": [{"kind": "linear", "units": 8, "repeat": 2}]},
    "strategy": {"name": "binary-tournament", "population": 6},
    "learner": {"name": "sgd", "n_batches": 4, "batch_size": 8},
    "stages": [
        {"task": {"name": "digits", "classes": [a, a + 1]}, "generations": 10} for a in (0, 2)
    ],
}


def test_one_worker_repeats_inline(tmp_path):
    """A worker of a cluster would train something else than the learner's own evaluator."""
    engine = {"name": "ray", "workers": 1, "cpus_per_worker": HALF}
    runner.launch({**SMALL, "engine": "inline"}, name="here", runs_dir=tmp_path)
    there = runner.launch({**SMALL, "engine": engine}, name="there", runs_dir=tmp_path)
    assert digest(tmp_path / "here/lineage.sqlite") == digest(tmp_path / "there/lineage.sqlite")
    assert there.summary["deterministic"]
    usage = there.summary["times"]["pathnet"][1]["usage"]
    assert usage["in_flight"]["mean"] == 1
    assert usage["bytes"]["mean"] > 0


@pytest.fixture
def context():
    """A pool of zeros, and a task."""
    inputs, labels = torch.zeros(8, 3), torch.arange(8) % 2
    pool = ModulePool([Linear(units=4)], 5, (3,))
    head = pool.head(2, torch.Generator().manual_seed(0))
    for stack in pool.stacks(head):
        for values in stack.parameters.values():
            values.zero_()
    task = SupervisedTask("zeros", inputs, labels, inputs, labels, 2)
    return LearningContext(pool, head, task, torch.device("cpu"), Streams(0, 0), False)


@pytest.mark.parametrize("accident", ["its process is killed", "its node is lost"])
def test_a_worker_that_is_lost_is_named(toy, two, context, joined, accident):
    """A node that dies would take the run along, or leave half of an update."""
    evaluator = two.evaluator(toy(seconds=1000.0), context)
    for number in (0, 3):
        evaluator.submit(Candidate(number, 0, ((0, 1),), None, 0))
    assert evaluator.advance() == []
    if accident == "its node is lost":
        joined.remove()
        where = "was lost with its node"
    else:
        worker = evaluator.workers.members[0]
        process = int(re.search(r"process (\d+)", worker.link.where)[1])
        os.kill(process, signal.SIGKILL)
        where = f"process {process}"
    failed = []
    while not failed:
        failed = evaluator.advance()
    assert failed[0].failed
    assert where in failed[0].cause
    evaluator.cancel()
    assert all(values.eq(0).all() for s in context.pool.layers for values in s.parameters.values())
    assert 1 <= evaluator.usage()["restarts"] <= 2
    two.close_last()
    two.close()


def test_a_cluster_that_is_not_there(tmp_path):
    """A run would begin, and fail in every trial."""
    engine = {"name": "ray", "cpus_per_worker": 1000, "address": "auto"}
    with pytest.raises(UserError, match="engine: a worker needs 1000 CPUs, but the largest"):
        runner.launch({**SMALL, "engine": engine}, name="none", runs_dir=tmp_path)
    made = RayEngine(gpus_per_worker=1000)
    with pytest.raises(StageFailed, match="needs 1 CPUs and 1000 GPUs.*lower cpus_per_worker"):
        made.transport()
