"""Wrong tasks, modules, learners and engines fail their kits, which say what the contract wants."""

import random
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from pathnet_evo import (
    Engine,
    Evaluation,
    Evaluator,
    Learner,
    SupervisedTask,
    TaskSettings,
)
from pathnet_evo.core.kinds import Linear
from pathnet_evo.testing import EngineContract, LearnerContract, ModuleContract, TaskContract


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


class Wobble(Learner):
    """Right where ``wrong`` is empty: steps against the gradient on a batch."""

    takes: ClassVar[type] = SupervisedTask
    wrong: str = ""

    def outputs(self, task):
        return task.n_classes

    def evaluator(self, context):
        return WobbleEvaluator(self.wrong, context)

    def score(self, network, task, streams):
        if self.wrong == "score":
            return {"accuracy": float("nan")}
        right = network(task.test_inputs).argmax(1) == task.test_labels
        return {"accuracy": float(right.float().mean())}


class WobbleEvaluator(Evaluator):
    def __init__(self, wrong, context):
        self.wrong, self.context, self.flying, self.late = wrong, context, [], []
        self.begun = False
        self.rng = context.streams.python("wobble")

    @property
    def free(self):
        return 2 - len(self.flying)

    def submit(self, candidate):
        context = self.context
        if self.wrong == "lost" and candidate.id == 3:
            return
        path = context.path(candidate.genotype)
        self.flying.append((candidate, context.pool.lease(path, context.head)))
        if self.wrong == "early":
            context.head.readout.parameters["bias"] += 1

    def advance(self):
        self.flying, self.late = self.late + self.flying, []
        if not self.flying:
            return []
        task, pool = self.context.task, self.context.pool
        if self.wrong == "half-trained" and not self.begun:
            self.begun = True
            for layer, row in zip(pool.layers, self.flying[0][0].genotype, strict=True):
                layer.parameters["bias"][row[0]] += 0.1
            return []
        self.begun = True
        candidate, lease = self.flying.pop(self.rng.randrange(len(self.flying)))
        logits = lease.forward(task.prepare(task.inputs))
        loss = F.cross_entropy(logits, task.labels)
        loss.backward()
        with torch.no_grad():
            for parameter in lease.parameters():
                parameter -= 0.1 * parameter.grad
        fitness = -float(loss.detach())
        failed = not lease.finite() and self.wrong != "diverges"
        if self.wrong == "global":
            fitness += random.random()
        if self.wrong == "frozen":
            for layer in pool.layers:
                layer.parameters["bias"] += 0.01
        if not failed and self.wrong != "untrained":
            pool.commit(lease)
        done = Evaluation(
            replace(candidate, id=candidate.id + 1) if self.wrong == "renamed" else candidate,
            None if failed else fitness,
            "the loss is not finite" if failed and self.wrong != "no cause" else None,
            examples=0 if self.wrong == "no examples" else len(task.inputs),
        )
        return [done, done] if self.wrong == "twice" else [done]

    def cancel(self):
        if self.wrong == "late" and self.begun:
            self.late = list(self.flying)
        if self.wrong != "uncancelled":
            self.flying.clear()


WRONG_LEARNERS = [
    ("lost", "test_every_candidate_comes_back", "must come back .*lost"),
    ("twice", "test_every_candidate_comes_back", "each submitted candidate once"),
    ("renamed", "test_every_candidate_comes_back", "came back twice, or was never|must carry"),
    ("no examples", "test_every_candidate_comes_back", "examples must count"),
    ("frozen", "test_frozen_modules_stay", "frozen modules must stay bit-identical"),
    ("frozen", "test_trains_its_path_alone", "is in no path"),
    ("untrained", "test_trains_its_path_alone", "must train its path"),
    ("global", "test_repeats", "equal streams must give equal evaluations"),
    ("uncancelled", "test_cancel_leaves_no_trace", "all 2 slots must be free"),
    ("early", "test_cancel_leaves_no_trace", "as if nothing was asked"),
    ("uncancelled", "test_cancel_under_way_leaves_no_trace", "all 2 slots must be free"),
    ("half-trained", "test_cancel_under_way_leaves_no_trace", "must be what it was before"),
    ("late", "test_cancel_under_way_leaves_no_trace", "must not come back"),
    ("diverges", "test_failure_leaves_no_trace", "must FAIL"),
]


@pytest.mark.parametrize(
    ("wrong", "check", "message"),
    [*WRONG_LEARNERS, ("score", "test_score", "score 'accuracy' must be finite")],
)
def test_wrong_learners(wrong, check, message):
    """A learner's author would see forgetting, or a run that never ends, and not why."""

    class Here(LearnerContract):
        def learner(self):
            return Wobble(wrong=wrong)

        def task(self):
            return rings()

    with pytest.raises(AssertionError, match=message):
        getattr(Here(), check)()


class Passing(Engine):
    """An engine that makes the learner's own evaluator, or a wrong one."""

    wrong: str = ""

    def evaluator(self, learner, context):
        return WobbleEvaluator(self.wrong, context)


class EngineHere(EngineContract):
    wrong = ""

    def engine(self):
        return Passing(wrong=self.wrong)

    def learner(self):
        return Wobble()

    def task(self):
        return rings()


@pytest.mark.parametrize(("wrong", "check", "message"), WRONG_LEARNERS)
def test_wrong_engines(wrong, check, message):
    """An engine's author would see evaluations vanish between processes, and not which."""
    here = EngineHere()
    here.wrong = wrong
    with pytest.raises(AssertionError, match=message):
        getattr(here, check)()


@pytest.mark.parametrize("check", [name for name in dir(EngineContract) if name[:5] == "test_"])
def test_right_ones_pass(check):
    """A kit that refuses what is right helps nobody."""

    class Learning(LearnerContract):
        def learner(self):
            return Wobble()

        def task(self):
            return rings()

    getattr(Learning(), check)()
    getattr(EngineHere(), check)()
