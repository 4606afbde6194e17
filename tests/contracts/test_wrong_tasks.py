"""Wrong tasks and modules fail their kits, with a message that says what the contract wants."""

from dataclasses import replace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from pathnet_evo import (
    SupervisedTask,
    TaskSettings,
)
from pathnet_evo.core.kinds import Linear
from pathnet_evo.testing import (
    ModuleContract,
    TaskContract,
)


def rings(n: int = 32) -> SupervisedTask:
    """Points within a ball, and outside it."""
    x = torch.randn(n, 6, generator=torch.Generator().manual_seed(0))
    y = (x.norm(dim=1) > 2.4).long()
    return SupervisedTask("rings", x, y, x + 0.1, y, 2)


class Rings(TaskSettings):
    wrong: str = ""

    def make(self, context: Any) -> SupervisedTask:
        task = rings()
        if self.wrong == "labels":
            task = replace(task, n_classes=1)
        if self.wrong == "late labels":
            object.__setattr__(task, "labels", task.labels + 1)
        if self.wrong == "class":
            task = replace(task, n_classes=3)
        if self.wrong == "seed":
            task = replace(task, inputs=torch.randn(task.inputs.shape))
        if self.wrong == "scale":
            task = replace(task, scale=torch.ones(4, 1, 6))
        if self.wrong == "infinite":
            task = replace(task, scale=torch.tensor(torch.inf))
        if self.wrong == "shape" and context.input_shape:
            task = replace(task, inputs=task.inputs[:, :3], test_inputs=task.test_inputs[:, :3])
        return "a task" if self.wrong == "type" else task


class Loose(Rings, extra="allow"):
    pass


@pytest.mark.parametrize(
    ("settings", "check", "message"),
    [
        (Rings(wrong="labels"), "test_examples", "labels are outside 0 to 0"),
        (Rings(wrong="late labels"), "test_examples", "must lie within 0 to 1"),
        (Rings(wrong="class"), "test_examples", r"every class needs .*\[2\] have none"),
        (Rings(wrong="seed"), "test_same_seed_same_task", "same task, but inputs differs"),
        (Rings(wrong="scale"), "test_examples", "scale .* does not broadcast"),
        (Rings(wrong="infinite"), "test_examples", "scale is not finite"),
        (Rings(wrong="shape"), "test_follows_the_pool", r"the pool takes \(6,\)"),
        (Rings(wrong="type"), "test_examples", "must return a SupervisedTask"),
        (Loose(), "test_settings_are_plain", "refuse keys"),
    ],
)
def test_wrong_tasks(settings, check, message):
    """A task's author would find the mistake in the middle of a run, or never."""

    class Here(TaskContract):
        def settings(self):
            return settings

    with pytest.raises(AssertionError, match=message):
        getattr(Here(), check)()


class HalfGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.relu()

    @staticmethod
    def backward(ctx, gradient):
        return gradient / 2


class Wrong(Linear):
    wrong: str

    def output_shape(self, input_shape):
        return (self.units + (self.wrong == "shape"),)

    def initialise(self, parameters, generator):
        super().initialise(parameters, generator)
        if self.wrong == "equal":
            for values in parameters.values():
                values[:] = values[0].clone()
        if self.wrong == "global":
            parameters["weight"].uniform_(-1, 1)

    def forward(self, x: Tensor, parameters: dict[str, Tensor]) -> Tensor:
        weight, bias = parameters["weight"], parameters["bias"]
        if self.wrong == "in place":
            x.mul_(1.5)
        out = torch.einsum("bi,noi->bno", x.flatten(1), weight) + bias
        if self.wrong == "together":
            out = out - out.mean(1, keepdim=True)
        if self.wrong == "batch":
            out = out - out.mean(0, keepdim=True)
        if self.wrong == "random":
            out = F.dropout(out, 0.5)
        if self.wrong == "detached":
            out = F.linear(x.flatten(1), weight.detach()[0])[:, None] + out.detach() + bias
        return HalfGradient.apply(out) if self.wrong == "gradient" else out.relu()


@pytest.mark.parametrize(
    ("wrong", "check", "message"),
    [
        ("gradient", "test_gradient", "the gradient of the input is wrong"),
        ("detached", "test_gradient", "the gradient of the input is wrong|'weight' is wrong"),
        ("together", "test_n_modules_equal_one_by_one", "n modules at once must give what each"),
        ("batch", "test_examples_do_not_mix", "must not depend on its batch"),
        ("random", "test_forward_changes_nothing", "same output for the same input"),
        ("in place", "test_forward_changes_nothing", "must not change its input|same output"),
        ("shape", "test_output_shape", r"\(batch, n, \*output_shape\)"),
        ("equal", "test_initialise", "must draw different modules"),
        ("global", "test_initialise", "from the generator"),
        ("", "test_refused_shapes", "must raise ShapeError"),
    ],
)
def test_wrong_modules(wrong, check, message):
    """A module kind's author would see a network that does not learn, and not why."""

    class Here(ModuleContract):
        refused_shapes: ClassVar = [(2, 2)]

        def kind(self):
            return Wrong(units=4, wrong=wrong)

    with pytest.raises(AssertionError, match=message):
        getattr(Here(), check)()
