"""The contract kit of learners and their evaluators; plugin authors subclass it."""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from pathnet_evo.core.genotype import Path, distinct, join
from pathnet_evo.core.head import TaskHead
from pathnet_evo.core.kinds import Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.evaluations import Candidate, Evaluation, Evaluator
from pathnet_evo.interfaces.learners import Learner, LearningContext
from pathnet_evo.interfaces.tasks import EnvironmentTask, SupervisedTask, Task
from pathnet_evo.testing.plain import check_settings, global_seed

LAYERS, MODULES, WIDTH = 2, 5, 2
MAX_ADVANCES = 10_000
"""Rounds after which a candidate that did not come back counts as lost."""


@dataclass
class Bench:
    """A small pool and what a learner needs beside it."""

    pool: ModulePool
    head: TaskHead
    context: LearningContext
    rng: random.Random

    def candidates(self, n: int) -> list[Candidate]:
        """Random candidates that leave the pool's last modules alone."""
        drawn = []
        for i in range(n):
            rows = [[self.rng.randrange(MODULES - 1) for _ in range(WIDTH)] for _ in range(LAYERS)]
            drawn.append(Candidate(i, i, tuple(map(tuple, rows)), None, i))
        return drawn

    def weights(self) -> list[Tensor]:
        """Copies of every parameter, the head's last."""
        stacks = self.pool.stacks(self.head)
        return [p.clone() for stack in stacks for p in stack.parameters.values()]

    def of(self, layer: int, module: int) -> list[Tensor]:
        """Copies of a module's parameters."""
        return [p[module].clone() for p in self.pool.layers[layer].parameters.values()]


def bench(
    learner: Learner, task: Task, seed: int = 0, frozen: Path = (), always_active: bool = False
) -> Bench:
    """A pool of linear modules with a readout for a task."""
    streams = Streams(seed).at(0)
    pool = ModulePool([Linear(units=8)] * LAYERS, MODULES, task.input_shape)
    pool.initialise(lambda layer: streams.torch("init", layer))
    if frozen:
        pool.freeze(frozen)
    head = TaskHead(pool.layers, learner.readout(pool, task, streams.torch("readout")))
    cpu = torch.device("cpu")
    context = LearningContext(pool, head, task, cpu, streams, always_active)
    return Bench(pool, head, context, streams.python("candidates"))


def evaluate(evaluator: Evaluator, candidates: list[Candidate]) -> list[Evaluation]:
    """Submit candidates as slots are free and advance until each came back once."""
    waiting, flying, done = list(candidates), dict[int, Candidate](), list[Evaluation]()
    idle = 0
    while waiting or flying:
        free = evaluator.free
        assert free >= 0, f"free counts slots, it must not be {free}"
        for candidate in waiting[:free]:
            evaluator.submit(candidate)
            flying[candidate.id] = candidate
        del waiting[:free]
        over = evaluator.advance()
        idle = 0 if over else idle + 1
        for evaluation in over:
            given = flying.pop(evaluation.candidate.id, None)
            assert given is not None, (
                "advance() must return each submitted candidate once, but candidate "
                f"{evaluation.candidate.id} came back twice, or was never submitted"
            )
            assert evaluation.candidate == given, (
                f"an evaluation must carry the candidate as it was submitted, {given}, "
                f"not {evaluation.candidate}"
            )
        done += over
        assert idle < MAX_ADVANCES, (
            f"every submitted candidate must come back from advance(), but after {idle} rounds "
            f"without a result candidates {sorted(flying)} have not, and free is {free}: lost"
        )
    return done


class LearnerContract(ABC):
    """What every learner keeps to.

    A subclass is a test class for pytest::

        class TestMyLearner(LearnerContract):
            def learner(self) -> Learner:
                return MyLearner(steps=5)

            def task(self) -> Task:
                return Rings().make(TaskContext(Streams(0)))

    Attributes:
        repeats: whether equal seeds give equal results, bit for bit.
    """

    repeats: ClassVar[bool] = True

    @abstractmethod
    def learner(self) -> Learner:
        """The learner, with settings that make an evaluation short."""

    @abstractmethod
    def task(self) -> Task:
        """A small task that it can learn."""

    def broken_task(self) -> Task | None:
        """A task on which training diverges; None where there is none to be had."""
        task = self.task()
        if isinstance(task, SupervisedTask):
            return replace(task, scale=torch.tensor(torch.finfo(torch.float32).max))
        return None

    def _bench(
        self, seed: int = 0, frozen: Path = (), always_active: bool = False, broken: bool = False
    ) -> tuple[Bench, Evaluator]:
        task = self.broken_task() if broken else self.task()
        assert task is not None
        made = bench(self.learner(), task, seed, frozen, always_active)
        return made, self.learner().evaluator(made.context)

    def test_settings_are_plain(self) -> None:
        """A run could not be repeated from its run.toml."""
        assert isinstance(self.learner(), Learner), "a learner derives from Learner"
        check_settings(self.learner(), "learner")

    def test_takes_its_task(self) -> None:
        """A sequence with this learner could not be planned."""
        learner, task = self.learner(), self.task()
        takes = getattr(type(learner), "takes", None)
        assert isinstance(takes, type), "a learner says by `takes` which task contract it learns"
        assert isinstance(task, takes), f"takes is {takes.__name__}, but task() is none"
        assert learner.outputs(task) >= 1, "outputs(task) must be at least 1"

    def test_every_candidate_comes_back(self) -> None:
        """Evolution would wait for ever, or learn from an evaluation twice."""
        made, evaluator = self._bench()
        assert evaluator.free >= 1, "a new evaluator must have a free slot"
        for evaluation in evaluate(evaluator, made.candidates(6)):
            fitness, cause = evaluation.fitness, evaluation.cause
            assert fitness is None or math.isfinite(fitness), (
                f"a fitness must be finite; one that is not is a failed evaluation, with fitness "
                f"None and a cause, not {fitness}"
            )
            assert (fitness is None) == (cause is not None), (
                f"an evaluation has either a fitness or a cause, not fitness {fitness} and "
                f"cause {cause!r}"
            )
            assert fitness is None or evaluation.examples > 0, (
                "examples must count what the evaluation trained on; budgets are compared by it"
            )
        assert evaluator.advance() == [], "advance() must return nothing where nothing is in flight"
        evaluator.close()
        evaluator.close()

    def test_trains_its_path_alone(self) -> None:
        """Paths would disturb modules that they do not use, or nothing would be learned."""
        made, evaluator = self._bench()
        candidates = made.candidates(4)
        used = join([distinct(candidate.genotype) for candidate in candidates])
        before = [[made.of(layer, m) for m in range(MODULES)] for layer in range(LAYERS)]
        start = made.weights()
        evaluate(evaluator, candidates)
        assert not _equal(start, made.weights()), "an evaluation must train its path or readout"
        for layer in range(LAYERS):
            for module in set(range(MODULES)) - set(used[layer]):
                assert _equal(before[layer][module], made.of(layer, module)), (
                    f"module {module} of layer {layer} is in no path that was evaluated, "
                    "so it must stay as it is, but it changed"
                )

    def test_frozen_modules_stay(self) -> None:
        """Earlier tasks would be forgotten."""
        for always in (False, True):
            frozen: Path = ((0, 1), (1, 2))
            made, evaluator = self._bench(frozen=frozen, always_active=always)
            before = {(i, m): made.of(i, m) for i, layer in enumerate(frozen) for m in layer}
            evaluate(evaluator, made.candidates(6))
            for (layer, module), values in before.items():
                assert _equal(values, made.of(layer, module)), (
                    f"frozen modules must stay bit-identical, but module {module} of layer "
                    f"{layer} changed (always_active = {always})"
                )

    def test_repeats(self) -> None:
        """Equal seeds would give other results."""
        if not self.repeats:
            return
        results = []
        for seed in (1, 2):
            with global_seed(seed):
                made, evaluator = self._bench(seed=3)
                done = evaluate(evaluator, made.candidates(5))
            results.append(([e.fitness for e in done], made.weights()))
        same = results[0][0] == results[1][0] and _equal(results[0][1], results[1][1])
        assert same, (
            "equal streams must give equal evaluations and weights, bit for bit: draw from the "
            "context's streams, never from global generators (or set repeats = False)"
        )

    def test_cancel_leaves_no_trace(self) -> None:
        """A stage that is stopped would leave half-trained weights behind."""
        made, evaluator = self._bench()
        slots, before = evaluator.free, made.weights()
        for candidate in made.candidates(slots):
            evaluator.submit(candidate)
        evaluator.cancel()
        assert evaluator.free == slots, (
            f"after cancel() all {slots} slots must be free, not {evaluator.free}"
        )
        assert _equal(before, made.weights()), (
            "cancel() must leave the pool as if nothing was asked"
        )
        assert evaluator.advance() == [], "what was cancelled must not come back"

    def test_cancel_under_way_leaves_no_trace(self) -> None:
        """A stage that is stopped would keep half-trained weights, or hear of what it gave up."""
        made, evaluator = self._bench()
        slots, start = evaluator.free, made.weights()
        before = [[made.of(layer, m) for m in range(MODULES)] for layer in range(LAYERS)]
        for candidate in made.candidates(slots):
            evaluator.submit(candidate)
        over = [evaluation.candidate for evaluation in evaluator.advance()]
        evaluator.cancel()
        assert evaluator.free == slots, (
            f"after cancel() all {slots} slots must be free, not {evaluator.free}"
        )
        if not self.learner().in_place:
            for layer in range(LAYERS):
                trained = {module for candidate in over for module in candidate.genotype[layer]}
                for module in set(range(MODULES)) - trained:
                    assert _equal(before[layer][module], made.of(layer, module)), (
                        f"module {module} of layer {layer} is in no path whose evaluation was over "
                        "before cancel(), so it must be what it was before, but it changed"
                    )
            assert over or _equal(start, made.weights()), (
                "cancel() must leave the readout as it was where no evaluation was over"
            )
        assert evaluator.advance() == [], "what was cancelled must not come back"
        evaluate(evaluator, [replace(c, id=c.id + slots) for c in made.candidates(slots)])

    def test_failure_leaves_no_trace(self) -> None:
        """One diverging path would spoil the modules of all others."""
        if self.broken_task() is None:
            return
        made, evaluator = self._bench(broken=True)
        before = made.weights()
        for evaluation in evaluate(evaluator, made.candidates(3)):
            assert evaluation.fitness is None, (
                "an evaluation whose loss is not finite must FAIL: fitness None, and a cause; "
                f"it has fitness {evaluation.fitness}"
            )
        assert _equal(before, made.weights()), (
            "a failed evaluation must leave pool and readout as they were before it"
        )

    def test_score(self) -> None:
        """Reports would show numbers that are none, or scoring would train."""
        made, evaluator = self._bench()
        (candidate,) = made.candidates(1)
        evaluate(evaluator, [candidate])
        network = made.pool.network(distinct(candidate.genotype), made.head)
        before = [p.clone() for p in network.parameters()]
        scores = self.learner().score(network, self.task(), made.context.streams)
        assert scores, "score() must give at least one score, the chief one first"
        for name, value in scores.items():
            assert math.isfinite(value), f"score {name!r} must be finite, not {value}"
        assert _equal(before, list(network.parameters())), "score() must not change the network"
        again = self.learner().score(network, self.task(), made.context.streams)
        assert not self.repeats or again == scores, (
            "score() must give the same for the same network"
        )

    def test_acts(self) -> None:
        """``pathnet-evo play`` would end with an error of the learner's."""
        task, learner = self.task(), self.learner()
        acts = type(learner).actions is not Learner.actions
        if not (acts and isinstance(task, EnvironmentTask)):
            return
        made = bench(learner, task)
        (candidate,) = made.candidates(1)
        network = made.pool.network(distinct(candidate.genotype), made.head)
        observations = torch.zeros(3, *task.observation_shape)
        generator = torch.Generator().manual_seed(0)
        drawn = learner.actions_in(task, network, observations, generator)
        assert isinstance(drawn, Tensor), (
            f"actions() must give a tensor, not a {type(drawn).__name__}"
        )
        found = (tuple(drawn.shape), drawn.dtype, drawn.device.type)
        if task.continuous:
            assert found == ((3, task.n_actions), torch.float32, "cpu"), (
                "actions_in() must give (n, n_actions) float32 on the CPU for a continuous task, "
                f"not {found}"
            )
            return
        assert found == ((3,), torch.int64, "cpu"), (
            f"actions() must give (n,) int64 on the CPU, one an observation, not {found}"
        )
        assert ((drawn >= 0) & (drawn < task.n_actions)).all(), (
            f"actions() must give actions in [0, {task.n_actions}), not {drawn.tolist()}"
        )
        assert not learner.policy or learner.outputs(task) >= task.n_actions, (
            f"a policy has a logit for each of the {task.n_actions} actions, but outputs() gives "
            f"{learner.outputs(task)}"
        )


def _equal(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
