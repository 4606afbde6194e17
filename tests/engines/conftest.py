"""A toy learner that worker processes can import, and what processes leave behind."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from pathnet_evo.core.genotype import distinct
from pathnet_evo.core.kinds import Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.engines.processes import ProcessEngine
from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo.interfaces.learners import LearningContext
from pathnet_evo.interfaces.tasks import SupervisedTask

HERE = Path(__file__).parent
LAYERS, MODULES, WIDTH = 2, 5, 2


class Shop:
    """A pool of zeros, a task, and everything that is needed to train on them."""

    def __init__(self):
        inputs = torch.zeros(8, 3)
        labels = torch.arange(8) % 2
        self.task = SupervisedTask("zeros", inputs, labels, inputs, labels, 2)
        self.pool = ModulePool([Linear(units=4)] * LAYERS, MODULES, (3,))
        self.head = self.pool.head(2, torch.Generator().manual_seed(0))
        for values in self.head.readout.parameters.values():
            values.zero_()
        self.context = LearningContext(
            self.pool, self.head, self.task, torch.device("cpu"), Streams(0, 0), False
        )
        self.rng = random.Random(0)

    def candidates(self, n, start=0):
        """Random candidates."""
        return [
            Candidate(
                i,
                i,
                tuple(tuple(self.rng.choices(range(MODULES), k=WIDTH)) for _ in range(LAYERS)),
                None,
                i,
            )
            for i in range(start, start + n)
        ]

    def sums_of(self, evaluations):
        """What the toy learner must have added to each module of each layer, and the readout."""
        fine = [e.candidate for e in evaluations if not e.failed]
        layers = [[0.0] * MODULES for _ in range(LAYERS)]
        for candidate in fine:
            for layer, modules in zip(layers, distinct(candidate.genotype), strict=True):
                for module in modules:
                    layer[module] += 1
        return layers, float(len(fine))

    def sums(self):
        """What was added, read from the pool; each module's numbers must all be the same."""
        found = []
        for stack in self.pool.stacks(self.head):
            values = torch.cat([p.flatten(1) for p in stack.parameters.values()], 1)
            assert (values == values[:, :1]).all(), "half of an update was written"
            found.append(values[:, 0].tolist())
        return found[:-1], found[-1][0]


@pytest.fixture
def shop():
    """A new shop."""
    return Shop()


@pytest.fixture(scope="session", autouse=True)
def toy():
    """The toy learner, importable here and in every worker process."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(str(HERE))
        import toy_learner

        yield toy_learner.Toy


def run_all(evaluator, candidates, seconds=300.0):
    """Submit as slots are free until all came back; each must come back once."""
    waiting, flying, done = list(candidates), set(), []
    end = time.monotonic() + seconds
    while waiting or flying:
        assert time.monotonic() < end, f"lost: {flying}"
        for candidate in waiting[: evaluator.free]:
            evaluator.submit(candidate)
            flying.add(candidate.id)
            waiting.remove(candidate)
        for evaluation in evaluator.advance():
            flying.remove(evaluation.candidate.id)
            done.append(evaluation)
    return done


@pytest.fixture
def train(shop, toy):
    """Trains candidates on two workers with a toy learner; ends the workers at the end."""
    engines = []

    def go(candidates=12, engine=None, **accidents):
        chosen = engine or ProcessEngine(workers=2)
        engines.append(chosen)
        evaluator = chosen.evaluator(toy(**accidents), shop.context)
        try:
            return run_all(evaluator, shop.candidates(candidates))
        finally:
            evaluator.close()

    yield go
    for engine in engines:
        engine.close()


def children(parent):
    """Ids of the processes that a process started and that still live, at any depth."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                state, of = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if state != "Z":
                parents[int(folder.name)] = int(of)
    found, added = set(), {parent}
    while added:
        added = {pid for pid, of in parents.items() if of in added} - found
        found |= added
    return found


def workers(parent):
    """Those of the children that are forked: worker processes, not the server that forks them."""
    found = set()
    for pid in children(parent):
        try:
            of = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]).split()[1]
            line, above = (Path(f"/proc/{p}/cmdline").read_bytes() for p in (pid, of))
        except OSError:
            continue
        if line == above:
            found.add(pid)
    return found


def alive(pid):
    """Whether a process still runs."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def eventually(what, seconds=300.0):
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.05)
    return what()


def segments():
    """The named shared memory of the kinds that worker processes use: torch's and Python's."""
    kinds = "torch_*", "psm_*", "sem.mp-*"
    return {f.name for kind in kinds for f in Path("/dev/shm").glob(kind)}


@pytest.fixture
def running(tmp_path):
    """A run in a process group of its own that works side by side for much longer than a test."""
    started = []

    def go(*arguments):
        command = [sys.executable, "-c", "from pathnet_evo.cli import main; main()", "run"]
        settings = ["digits", "--runs-dir", str(tmp_path), "--name", "it", "--seeds", "1"]
        settings += ["--set", "engine={name='processes',workers=2}"]
        settings += ["--set", "stages.*.generations=1000000", "--set", "arms=['pathnet']"]
        with (tmp_path / "output").open("w") as output:
            process = subprocess.Popen(
                [*command, *settings, *arguments],
                stdout=output,
                stderr=output,
                start_new_session=True,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )
        started.append(process)
        return process, tmp_path / "it"

    yield go
    for process in started:
        for pid in {*children(process.pid), process.pid}:
            if alive(pid):
                os.kill(pid, 9)
        process.wait()


@pytest.fixture
def processes():
    """Functions that look at processes and shared memory."""
    return SimpleNamespace(
        alive=alive, children=children, workers=workers, eventually=eventually, segments=segments
    )


@pytest.fixture(name="run_all")
def _run_all():
    """Submits candidates until all came back."""
    return run_all
