"""Every strategy learns the preset ``digits`` to its end, in order and out of order."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any, ClassVar

import pytest
import torch

from pathnet_evo import presets
from pathnet_evo.core.pool import Lease
from pathnet_evo.interfaces.evaluations import Candidate, Evaluation, Evaluator
from pathnet_evo.interfaces.learners import Learner, LearningContext
from pathnet_evo.interfaces.records import Evaluated, StageFinished
from pathnet_evo.interfaces.tasks import SupervisedTask
from pathnet_evo.plugins.hookspecs import hookimpl
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup.config import parse, validate
from pathnet_evo.setup.overrides import override
from pathnet_evo.setup.plan import Plan
from pathnet_evo.setup.resolving import resolve
from pathnet_evo.trial.trial import learn_sequence

STRATEGIES = Registry().names("strategies")
EVALUATIONS, PLACES, BATCH = 60, 5, 16


class Juggler(Learner):
    """Has five paths leased at once, finishes them in random order, and lets one in five fail."""

    takes: ClassVar[type] = SupervisedTask

    def outputs(self, task: SupervisedTask) -> int:
        """One a class."""
        return task.n_classes

    def evaluator(self, context: LearningContext) -> JugglerEvaluator:
        """As many slots as it can juggle."""
        return JugglerEvaluator(context)

    def score(self, network: Any, task: SupervisedTask, streams: Any) -> dict[str, float]:
        """The sum of all outputs, which no change of a weight leaves as it is."""
        with torch.no_grad():
            return {"sum": float(network(task.test_inputs[:50]).double().abs().sum())}


class JugglerEvaluator(Evaluator):
    """Leases when a candidate is submitted, one step of gradient descent, commits or fails."""

    def __init__(self, context: LearningContext) -> None:
        self.context = context
        self.rng = context.streams.python("juggling")
        self.held: list[tuple[Candidate, Lease]] = []

    @property
    def free(self) -> int:
        """Hands that are empty."""
        return PLACES - len(self.held)

    def submit(self, candidate: Candidate) -> None:
        """Lease the path."""
        pool = self.context.pool
        path = self.context.path(candidate.genotype)
        self.held.append((candidate, pool.lease(path, self.context.head)))

    def advance(self) -> list[Evaluation]:
        """Any one of those that are held, once the hands are full; sometimes none."""
        if not self.held or self.rng.random() < 0.2:
            return []
        candidate, lease = self.held.pop(self.rng.randrange(len(self.held)))
        rows = torch.tensor(self.rng.sample(range(len(self.context.task.labels)), BATCH))
        logits = lease.forward(self.context.task.prepare(self.context.task.inputs[rows]))
        loss = torch.nn.functional.cross_entropy(logits, self.context.task.labels[rows])
        loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for values in lease.parameters():
                values -= 0.05 * values.grad
        if self.rng.random() < 0.2:
            return [Evaluation(candidate, None, "dropped", examples=BATCH)]
        self.context.pool.commit(lease)
        return [Evaluation(candidate, -float(loss.detach()), examples=BATCH)]

    def cancel(self) -> None:
        """Drop all."""
        self.held.clear()


@hookimpl
def register_learners(register: Any) -> None:
    """The learner ``juggler``."""
    register("juggler", Juggler)


@pytest.fixture
def digits(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes the preset's plan for a strategy and a learner, with a small budget."""
    plugin = ModuleType("juggler_plugin")
    plugin.register_learners = register_learners  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "juggler_plugin", plugin)
    homes = {
        "core": "pathnet_evo.plugins.builtin",
        "images": "pathnet_evo_images",
        "sgd": "pathnet_evo_sgd",
        "juggler": "juggler_plugin",
    }
    registry = Registry([EntryPoint(n, home, "pathnet_evo") for n, home in homes.items()])

    def make(strategy: str, learner: dict[str, Any], examples: int) -> Plan:
        data = parse(presets.read("digits"), "digits")
        data["learner"] = learner
        data["arms"] = ["pathnet"]
        override(data, [f"strategy.name={strategy}", "strategy.population=8"])
        override(data, [f"stages.*.frames={EVALUATIONS * examples}", "stages.*.task.copies=4"])
        return resolve(validate(data), registry)

    return make


def learn(plan: Plan) -> tuple[list[Evaluated], list[StageFinished]]:
    """Learn both stages."""
    records: list[Any] = []
    learn_sequence(plan, plan.trials[0], "cpu", records.append)
    return (
        [r for r in records if isinstance(r, Evaluated)],
        [r for r in records if isinstance(r, StageFinished)],
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_with_sgd(digits: Any, strategy: str) -> None:
    """A strategy would stop before a stage's end, or change what was frozen."""
    plan = digits(strategy, {"name": "sgd", "n_batches": 4, "batch_size": BATCH}, 4 * BATCH)
    evaluated, finished = learn(plan)
    assert [stage.evaluations for stage in finished] == [EVALUATIONS] * 2
    assert not any(e.evaluation.failed for e in evaluated)
    assert finished[1].scores[0] == finished[0].scores[0]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_out_of_order_with_failures(digits: Any, strategy: str) -> None:
    """Overlapping leases that end in any order, or fail, would touch a path that is frozen."""
    evaluated, finished = learn(digits(strategy, {"name": "juggler"}, BATCH))
    assert [stage.evaluations for stage in finished] == [EVALUATIONS] * 2
    ids = [e.evaluation.candidate.id for e in evaluated]
    assert ids != sorted(ids)
    failed = [e.evaluation for e in evaluated if e.evaluation.failed]
    assert failed
    assert finished[1].scores[0] == finished[0].scores[0]
    for stage in finished:
        told = [
            e.evaluation
            for e in evaluated
            if e.stage == stage.stage
            and list(e.evaluation.candidate.genotype) == list(stage.genotype)
        ]
        assert any(not e.failed for e in told)
