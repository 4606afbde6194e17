import random
from dataclasses import replace

import pytest
import torch

from pathnet_evo.core.pool import ModulePool
from pathnet_evo.interfaces.evaluations import Evaluation, StageFailed
from pathnet_evo.interfaces.records import (
    Evaluated,
    GenerationFinished,
    StageFinished,
    StageStarted,
)
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.setup.plan import Plan
from pathnet_evo.strategies.fixed_path import FixedPath
from pathnet_evo.trial.stage import StageProgress
from pathnet_evo.trial.trial import Checkpointer, learn_sequence
from pathnet_evo_sgd.batches import Batches

ARMS = ["pathnet", "independent", "fine-tuning", "random"]


@pytest.fixture
def learn(monkeypatch):
    """Learns a plan; returns stages learned, records, the pool, and its weights at each start."""

    def go(plan, arm="pathnet", seed=0, **options):
        pools, starts, records = [], [], []
        make_pool, initialise = Plan.make_pool, ModulePool.initialise

        def spy_pool(self, *args):
            pools.append(make_pool(self, *args))
            return pools[-1]

        def spy_initialise(self, *args, **kwargs):
            initialise(self, *args, **kwargs)
            starts.append([layer.parameters["weight"].clone() for layer in self.layers])

        monkeypatch.setattr(Plan, "make_pool", spy_pool)
        monkeypatch.setattr(ModulePool, "initialise", spy_initialise)
        error = None
        learned = []
        try:
            trial = Trial(0, arm, seed)
            learned = learn_sequence(plan, trial, "cpu", records.append, **options)
        except StageFailed as failed:
            error = str(failed)
        finally:
            monkeypatch.setattr(Plan, "make_pool", make_pool)
            monkeypatch.setattr(ModulePool, "initialise", initialise)
        return learned, records, pools[0], starts, error

    return go


def without_times(records):
    """Records as they must repeat."""
    kept = []
    for record in records:
        if isinstance(record, Evaluated):
            record = replace(record, evaluation=replace(record.evaluation, seconds=0))
        elif isinstance(record, StageFinished):
            record = replace(record, seconds=0)
        kept.append(record)
    return kept


@pytest.mark.parametrize("arm", ARMS)
def test_a_seed_repeats_bit_for_bit(make_plan, learn, arm):
    """Broken: no published figure could be reproduced."""
    plan = make_plan()
    first = learn(plan, arm)
    torch.rand(3), random.random()  # whatever else runs
    second, other = learn(plan, arm), learn(plan, arm, seed=1)
    assert without_times(first[1]) == without_times(second[1])
    assert without_times(first[1]) != without_times(other[1])
    for a, b in zip(first[2].layers, second[2].layers, strict=True):
        assert all(torch.equal(a.parameters[n], b.parameters[n]) for n in a.parameters)


def test_arms_of_a_seed_start_alike_and_see_the_same_data(make_plan, learn, monkeypatch):
    """Broken: a difference between arms might be luck with weights or data."""
    plan, draw = make_plan(), Batches.__call__
    seen, starts = {}, {}
    for arm in ARMS:
        drawn = seen[arm] = []

        def spy(self, key, drawn=drawn):
            index = draw(self, key)
            drawn.append((self.streams, key, index.tolist()))
            return index

        monkeypatch.setattr(Batches, "__call__", spy)
        starts[arm] = learn(plan, arm)[3]
    assert len(seen["pathnet"]) == 16
    for arm in ARMS[1:]:
        assert seen[arm] == seen["pathnet"]
        for a, b in zip(starts[arm][0], starts["pathnet"][0], strict=True):
            assert torch.equal(a, b)


def test_the_first_task_is_kept_bit_for_bit(make_plan, learn):
    """Broken: PathNet would forget, which is the one thing that it must not do."""
    plan = make_plan(learner={"momentum": 0.9, "weight_decay": 0.1, "learning_rate": 0.2})
    answers = []

    class Answers(Checkpointer):
        def finished(self, pool, learned, record):
            answers.append([stage.network(pool)(stage.task.test_inputs) for stage in learned])
            return "folder", "sum"

    learned, records, pool, _, _ = learn(plan, checkpointer=Answers())
    assert torch.equal(answers[0][0], answers[1][0])
    finished = [r for r in records if isinstance(r, StageFinished)]
    assert finished[0].scores[0] == finished[1].scores[0]
    assert finished[1].checkpoint == ("folder", "sum")
    assert {m for stage in learned for m in stage.path[0]} == set(pool.frozen_path()[0])


def test_each_arm_transfers_as_it_says(make_plan, learn):
    """Broken: the controls would control for something else."""
    plan = make_plan()
    for arm in ARMS:
        learned, records, pool, starts, _ = learn(plan, arm)
        frozen = learned[0].path if arm in ("pathnet", "random") else ((), ())
        second = [r for r in records if isinstance(r, StageStarted)][1]
        assert second.frozen == frozen
        assert len(starts) == (1 if arm == "fine-tuning" else 2)
        if arm == "independent":
            assert not any(torch.equal(a, b) for a, b in zip(*starts, strict=True))
        if arm in ("fine-tuning", "independent"):
            assert [stage.path for stage in learned] == [((0, 1), (0, 1))] * 2
            assert pool.frozen_path() == ((), ())
        scored = [sorted(r.scores) for r in records if isinstance(r, StageFinished)]
        assert scored == ([[0], [1]] if arm == "independent" else [[0], [0, 1]])


def test_a_learning_rate_that_explodes_ends_the_stage_and_freezes_nothing(make_plan, learn):
    """Broken: a network of NaN would be frozen and reported as a result."""
    plan = make_plan(
        learner={"learning_rate": 1e9, "n_batches": 20, "batch_size": 16},
        pool={"layers": [{"kind": "linear", "units": 20, "repeat": 2}]},
    )
    learned, records, pool, starts, error = learn(plan)
    assert learned == []
    assert "4 evaluations failed in a row" in error
    assert "not finite (learning rate 1000000000.0)" in error
    assert pool.frozen_path() == ((), ())
    for layer, start in zip(pool.layers, starts[0], strict=True):
        assert torch.equal(layer.parameters["weight"], start)
    evaluations = [r.evaluation for r in records if isinstance(r, Evaluated)]
    assert [e.state for e in evaluations] == ["FAILED"] * 4
    assert not any(isinstance(r, StageFinished) for r in records)


def test_data_that_overflow_end_the_stage(make_plan, learn):
    """Broken: DEAP would select among NaN, silently wrong."""
    task = {"task": {"name": "blobs", "bad": True}, "generations": 9}
    for options in ({}, {"optimizer": "Adam"}):
        _, records, _, _, error = learn(make_plan(stages=[task], learner=options))
        assert "not finite" in error
        assert all(r.evaluation.fitness is None for r in records if isinstance(r, Evaluated))


def test_the_budget_counts_evaluations_of_every_arm(make_plan, learn):
    """Broken: arms would be compared after different amounts of training."""
    plan = make_plan()
    for arm in ARMS:
        records = learn(plan, arm)[1]
        for stage in (0, 1):
            told = [r for r in records if isinstance(r, Evaluated) and r.stage == stage]
            assert [r.number for r in told] == list(range(8))
            assert [r.generation for r in told] == [0, 0, 1, 1, 2, 2, 3, 3]
        ends = [r for r in records if isinstance(r, GenerationFinished)]
        assert [r.evaluations for r in ends] == [2, 4, 6, 8] * 2
        assert {r.examples for r in records if isinstance(r, StageFinished)} == {8 * 3 * 4}


@pytest.mark.parametrize("threshold", [0.0, 0.3])
def test_a_threshold_ends_the_stage(make_plan, learn, threshold):
    """Broken: speed-ups to a threshold would all be the budget."""
    stage = {"task": "blobs", "generations": 40, "threshold": threshold}
    records = learn(make_plan(stages=[stage]))[1]
    told = [r.evaluation.fitness for r in records if isinstance(r, Evaluated)]
    assert told[-1] >= threshold
    assert all(fitness < threshold for fitness in told[:-1])


def test_the_best_fitness_so_far_may_be_zero(make_plan):
    """Broken: learners whose fitness is a return around 0 would miss their threshold."""
    plan = make_plan()
    strategy = FixedPath(plan.make_pool((1, 4, 4), "cpu").shape(2), random.Random(0))
    progress = StageProgress(0, 0, strategy, lambda record: None)
    for number, fitness in enumerate((0.0, -1.0)):
        (candidate,) = strategy.ask(1)
        evaluation = Evaluation(candidate, fitness)
        strategy.tell(evaluation)
        progress.on_evaluation(evaluation)
        assert progress.best == 0.0, number


def test_a_trial_told_to_stop_freezes_nothing(make_plan, learn):
    """Broken: an interrupted stage would leave a half-trained path frozen."""
    rounds = iter(range(100))
    learned, records, pool, _, _ = learn(make_plan(), stop=lambda: next(rounds) >= 3)
    assert learned == []
    assert pool.frozen_path() == ((), ())
    assert not any(isinstance(r, StageFinished) for r in records)


def test_evolution_learns_a_task_that_can_be_learned(make_plan, learn):
    """Broken: nothing would be learned at all."""
    stage = {"task": {"name": "blobs", "noise": 0.2}, "generations": 25}
    plan = make_plan(stages=[stage, stage], learner={"n_batches": 10, "learning_rate": 0.1})
    for arm in ("pathnet", "independent"):
        _, records, *_ = learn(plan, arm)
        for record in records:
            if isinstance(record, StageFinished):
                assert record.scores[record.stage]["test_accuracy"] > 0.9
