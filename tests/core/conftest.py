"""What the tests of the framework share: plain networks, small pools, a made-up task."""

import importlib.util
import sys
from importlib.metadata import EntryPoint
from pathlib import Path as File
from types import ModuleType

import pytest
import torch

from pathnet_evo.core.aggregate import AGGREGATES
from pathnet_evo.core.kinds import Conv2d, Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.tasks import SupervisedTask, TaskSettings
from pathnet_evo.plugins.hookspecs import hookimpl
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup import config
from pathnet_evo.setup.resolving import resolve

KINDS = {
    "linear": [Linear(units=5), Linear(units=4)],
    "conv": [Conv2d(channels=3, kernel=2, padding=1), Conv2d(channels=2, kernel=3, stride=2)],
    "mixed": [Conv2d(channels=3, kernel=2, stride=2), Linear(units=5)],
}


def load(file: File) -> ModuleType:
    """A module of the tests by its file."""
    spec = importlib.util.spec_from_file_location(f"tests_{file.stem}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def reference() -> ModuleType:
    """Networks of plain ``torch.nn`` to compare with."""
    return load(File(__file__).with_name("reference.py"))


@pytest.fixture
def make_pool():
    """Makes an initialised pool of 6 modules a layer over 2 x 6 x 6 inputs, and a readout."""

    def make(kinds="linear", modules=6, mean=False, seed=0, input_shape=(2, 6, 6)):
        pool = ModulePool(
            KINDS[kinds], modules, input_shape, aggregate=AGGREGATES["mean" if mean else "sum"]
        )
        pool.initialise(lambda layer: Streams(seed).torch("init", layer))
        return pool, pool.head(3, Streams(seed).torch("readout"))

    return make


@pytest.fixture
def weights():
    """Copies of all the weights of stacks or of a pool."""

    def copy(*stacks):
        stacks = [
            s
            for part in stacks
            for s in (getattr(part, "layers", None) or getattr(part, "stacks", [part]))
        ]
        return [{name: p.clone() for name, p in stack.parameters.items()} for stack in stacks]

    return copy


class Blobs(TaskSettings):
    """Classes around random centres: a task that a small network learns at once."""

    examples: int = 160
    classes: int = 3
    noise: float = 0.5
    bad: bool = False
    """Scale the examples until they overflow."""

    def make(self, context):
        """The same examples for a seed and a stage."""
        generator = context.generator("blobs")
        centres = torch.randn(self.classes, 1, 4, 4, generator=generator)
        labels = torch.arange(self.examples) % self.classes
        noise = torch.randn(self.examples, 1, 4, 4, generator=generator)
        inputs = centres[labels] + self.noise * noise
        test = slice(0, self.examples // 4)
        return SupervisedTask(
            "blobs",
            inputs,
            labels,
            inputs[test],
            labels[test],
            self.classes,
            scale=torch.tensor(torch.finfo(torch.float32).max if self.bad else 1.0),
        )


@pytest.fixture
def make_plan(monkeypatch):
    """Makes the plan of a small run with two stages of the task ``blobs``."""

    @hookimpl
    def register_tasks(register):
        register("blobs", Blobs)

    plugin = ModuleType("blobs_plugin")
    plugin.register_tasks = register_tasks
    monkeypatch.setitem(sys.modules, "blobs_plugin", plugin)
    homes = {"core": "pathnet_evo.plugins.builtin", "blobs": "blobs_plugin"}
    homes |= {name: f"pathnet_evo_{name}" for name in ("a3c", "gym", "sgd")}
    registry = Registry([EntryPoint(n, home, "pathnet_evo") for n, home in homes.items()])

    def make(**sections):
        stage = {"task": {"name": "blobs"}, "generations": 4}
        data = {
            "pool": {
                "modules": 6,
                "width": 2,
                "layers": [{"kind": "linear", "units": 5, "repeat": 2}],
            },
            "strategy": {"name": "binary-tournament", "population": 4},
            "learner": {"name": "sgd", "minibatches": 3, "batch": 4},
            "stages": [stage, stage],
        }
        for name, section in sections.items():
            merge = isinstance(section, dict)
            data[name] = {**data.get(name, {}), **section} if merge else section
        return resolve(config.validate(data), registry)

    return make
