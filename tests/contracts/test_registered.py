"""Everything that comes along keeps the contracts that it asks of others."""

import inspect

import pytest
import torch

from pathnet_evo import Streams, TaskContext
from pathnet_evo.interfaces.tasks import SupervisedTask, TaskSettings
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.testing import LearnerContract, ModuleContract, ObserverContract, TaskContract

REGISTRY = Registry()
MODULES = {
    "conv2d": (
        {"channels": 2, "kernel": 3, "stride": 2, "padding": 1},
        (2, 6, 5),
        [(6,), (2, 0, 0)],
    ),
    "linear": ({"units": 4}, (2, 3), []),
    "residual": ({"units": 4}, (4,), []),
}
"""Of each module kind: small settings, an input it takes, inputs that it refuses."""
TASKS = {"digits": {"classes": [3, 8], "noise": 0.5}}
"""Tasks that need no files, and their settings; the plugins' own tests have the others."""
LEARNERS = {
    "sgd": [
        {"n_batches": 3, "batch_size": 4},
        {"n_batches": 3, "batch_size": 4, "optimizer": "Adam", "learning_rate": 0.01},
        {"n_batches": 3, "batch_size": 4, "momentum": 0.9, "weight_decay": 0.01},
        {"n_batches": 3, "batch_size": 4, "slots": 2, "validation_fraction": 0.25},
    ]
}


def rings(n: int = 48) -> SupervisedTask:
    """Points within a ball, and outside it."""
    x = torch.randn(n, 6, generator=torch.Generator().manual_seed(0))
    y = (x.norm(dim=1) > 2.4).long()
    return SupervisedTask("rings", x, y, x + 0.1, y, 2)


def checks(contract):
    """The names of a kit's tests."""
    return [
        name for name, _ in inspect.getmembers(contract, inspect.isfunction) if name[:5] == "test_"
    ]


@pytest.mark.parametrize("check", checks(ModuleContract))
@pytest.mark.parametrize("name", [n for n in REGISTRY.names("modules") if n in MODULES])
def test_modules(name, check):
    """A module kind that comes along would break what the framework promises of all."""
    options, shape, refused = MODULES[name]

    class Here(ModuleContract):
        input_shape = shape
        refused_shapes = refused

        def kind(self):
            return REGISTRY.get("modules", name)(**options)

    getattr(Here(), check)()


def test_every_module_kind_is_checked():
    """A new module kind would come along without having met the contract."""
    assert set(REGISTRY.names("modules")) <= set(MODULES)


@pytest.mark.parametrize("check", checks(TaskContract))
@pytest.mark.parametrize("name", TASKS)
def test_tasks(name, check):
    """A task that comes along would break what the framework promises of all."""

    class Here(TaskContract):
        def settings(self) -> TaskSettings:
            return REGISTRY.get("tasks", name)(**TASKS[name])

    getattr(Here(), check)()


@pytest.mark.parametrize("check", checks(ObserverContract))
@pytest.mark.parametrize("name", REGISTRY.names("observers"))
def test_observers(name, check):
    """An observer that comes along would break what the framework promises of all."""

    class Here(ObserverContract):
        def observer(self):
            return REGISTRY.get("observers", name)()

    getattr(Here(), check)()


@pytest.mark.parametrize("check", checks(LearnerContract))
@pytest.mark.parametrize("options", LEARNERS["sgd"], ids=lambda o: "-".join(map(str, o.values())))
def test_sgd(options, check):
    """The learner that comes along would lose candidates, or touch what is frozen."""

    class Here(LearnerContract):
        def learner(self):
            return REGISTRY.get("learners", "sgd")(**options)

        def task(self):
            return rings()

    getattr(Here(), check)()


def test_sgd_learns_a_registered_task():
    """The kits would be tried on made-up data alone."""

    class Here(LearnerContract):
        def learner(self):
            return REGISTRY.get("learners", "sgd")(n_batches=2, batch_size=4)

        def task(self):
            settings = REGISTRY.get("tasks", "digits")(**TASKS["digits"])
            return settings.make(TaskContext(Streams(0), 0, [settings]))

    Here().test_every_candidate_comes_back()
    Here().test_score()
