"""What the tests of the SGD learner share: plain networks, small tasks, contexts."""

import importlib.util
from pathlib import Path as File
from types import ModuleType

import pytest
import torch

from pathnet_evo.core.aggregate import AGGREGATES
from pathnet_evo.core.kinds import Conv2d, Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo.interfaces.learners import LearningContext
from pathnet_evo.interfaces.tasks import SupervisedTask
from pathnet_evo_sgd.learner import SGD


@pytest.fixture(scope="session")
def reference() -> ModuleType:
    """Networks of plain ``torch.nn`` to compare with."""
    file = File(__file__).parents[2] / "core" / "reference.py"
    spec = importlib.util.spec_from_file_location("tests_reference_of_sgd", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def make_context():
    """Makes a stage's context: 3 layers of 6 modules, 200 examples of three classes."""

    def make(mean=False, conv=False, examples=200, raw=True, seed=0, always_active=False):
        generator = torch.Generator().manual_seed(seed)
        inputs = torch.randint(256, (examples, 2, 4, 4), generator=generator, dtype=torch.uint8)
        inputs = inputs if raw else inputs.float() / 255
        labels = torch.randint(3, (examples,), generator=generator)
        options = {}
        if raw:
            shift = torch.tensor([120.0, 130.0]).view(2, 1, 1)
            options = {"shift": shift, "scale": torch.full((2, 1, 1), 1 / 74)}
        task = SupervisedTask(
            "toy", inputs, labels, inputs[:20], labels[:20], n_classes=3, **options
        )
        first = Conv2d(channels=3, kernel=2) if conv else Linear(units=5)
        pool = ModulePool(
            [first, Linear(units=4), Linear(units=5)],
            6,
            (2, 4, 4),
            aggregate=AGGREGATES["mean" if mean else "sum"],
        )
        pool.initialise(lambda layer: Streams(seed).torch("init", layer))
        head = pool.head(3, Streams(seed).torch("readout"))
        streams = Streams(seed, 0)
        return LearningContext(pool, head, task, torch.device("cpu"), streams, always_active)

    return make


@pytest.fixture
def evaluate():
    """Trains genotypes one after another; returns their evaluations."""

    def go(learner: SGD, context, *genotypes, batches=0):
        evaluator = learner.evaluator(context)
        done = []
        for i, genotype in enumerate(genotypes):
            evaluator.submit(Candidate(i, i, genotype, None, batches + i))
            done += evaluator.advance()
        return done

    return go
