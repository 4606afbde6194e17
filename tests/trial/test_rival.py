"""A rival's trial: the same stream, budget and records as for other arms."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from functools import partial

import pytest
import torch

from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.evaluations import StageFailed
from pathnet_evo.interfaces.learners import LearningContext
from pathnet_evo.interfaces.records import (
    BeforeTraining,
    Evaluated,
    GenerationFinished,
    NetworkMeasured,
    StageFinished,
    StageStarted,
    TaskMade,
)
from pathnet_evo.interfaces.rivals import Rival
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.system.plugin_calls import PluginFailed
from pathnet_evo.trial.rival import learn_with_rival
from pathnet_evo.trial.trial import Checkpointer


class Nearest(Rival):
    """Names the class whose mean training example is nearest; forgets nothing."""

    def __init__(self, told=8):
        self.means, self.courses, self.n_told = [], [], told

    def learn(self, course):
        """One mean per class."""
        x, y = course.task.prepare(course.task.inputs), course.task.labels
        self.means.append(torch.stack([x[y == c].mean(0) for c in range(course.task.n_classes)]))
        self.courses.append(course)
        for n in range(course.evaluations):
            course.told(0.1 * n, 1.0 - 0.1 * n, 12)

    def predict(self, stage, inputs):
        """The negative distances, as a matrix product."""
        means = self.means[stage].flatten(1)
        x = inputs.flatten(1)
        return x @ means.T - means.square().sum(1) / 2

    def parameters(self, stage=None):
        """The means."""
        sizes = [means.numel() for means in self.means]
        return sum(sizes) if stage is None else sizes[stage]


def learned(plan, rival, stop=lambda: False):
    """Whether the trial is whole, and its records."""
    records = []
    return learn_with_rival(
        plan, Trial(0, "pathnet", 0), "cpu", records.append, stop, rival
    ), records


def of(kind, records):
    """The records of one kind."""
    return [record for record in records if isinstance(record, kind)]


def test_a_rival_is_recorded_as_any_arm(make_plan):
    """Reports, comparisons and metrics would need a second code for rivals."""
    rival = Nearest()
    whole, records = learned(make_plan(), rival)
    assert whole
    kinds = [type(record) for record in records[: len(records) // 2]]
    assert kinds[:2] == [TaskMade, StageStarted]
    assert kinds[2:5] == [Evaluated, Evaluated, GenerationFinished]
    assert kinds[-2:] == [NetworkMeasured, StageFinished]
    first, second = of(StageFinished, records)
    assert (first.evaluations, first.examples) == (8, 8 * 12)
    assert [*second.scores] == [0, 1]
    assert second.scores[0] == first.scores[0], "it forgets nothing"
    assert second.scores[1]["test_accuracy"] > 0.9
    assert first.fitness == pytest.approx(0.7)
    sizes = of(NetworkMeasured, records)
    assert [(s.parameters, s.multiply_adds, s.stored) for s in sizes] == [
        (48, 48, 48),
        (48, 48, 96),
    ]


def test_a_rival_gets_the_budget_and_the_network_of_the_others(make_plan):
    """It would be compared at more examples, or with another network."""
    rival = Nearest()
    learned(make_plan(), rival)
    course = rival.courses[1]
    assert (course.stage, course.n_stages, course.evaluations) == (1, 2, 8)
    assert (course.width, len(course.kinds), course.input_shape) == (2, 2, (1, 4, 4))
    assert course.aggregate.name == "sum"
    averaged = Nearest()
    learned(make_plan(pool={"aggregate": "mean"}), averaged)
    assert averaged.courses[0].aggregate.name == "mean"


def test_a_rival_holds_out_what_the_other_arms_hold_out(make_plan):
    """It would learn from more examples, or give its training accuracy as a held-out one."""
    plan, rival = make_plan(learner={"validation_fraction": 0.25}), Nearest()
    _, records = learned(plan, rival)
    for i, course in enumerate(rival.courses):
        task = plan.make_task(i, Streams(0), None)
        pool = plan.make_pool(task.input_shape, "cpu")
        head = pool.head(task.n_classes, torch.Generator())
        context = LearningContext(pool, head, task, torch.device("cpu"), Streams(0, i), False)
        evaluator = plan.stages[i].learner.evaluator(context)
        kept, held = evaluator.batches.examples, evaluator.held
        assert (len(kept), len(held)) == (120, 40)
        assert torch.equal(course.task.inputs, task.inputs[kept])
        assert torch.equal(course.task.labels, task.labels[kept])
        means = rival.means[i].flatten(1)
        nearest = torch.cdist(task.prepare(task.inputs[held]).flatten(1), means).argmin(1)
        accuracy = (nearest == task.labels[held]).double().mean().item()
        told = [record.evaluation for record in of(Evaluated, records) if record.stage == i]
        assert [evaluation.fitness for evaluation in told] == pytest.approx([accuracy] * 8)
        assert of(StageFinished, records)[i].fitness == pytest.approx(accuracy)


def test_sources_stay_with_their_examples(make_plan):
    """Copies of a held-out example would be split from it, or belong to other examples."""
    task = make_plan().make_task(0, Streams(0), None)
    task = replace(task, sources=torch.arange(160) // 2)
    part = task.only(torch.tensor([3, 150]))
    assert part.sources.tolist() == [1, 75]
    assert torch.equal(part.inputs, task.inputs[[3, 150]])
    assert torch.equal(part.test_inputs, task.test_inputs)


def test_forward_transfer_of_a_rival(make_plan):
    """FWT would be missing, or measuring it would change what a rival draws."""
    rival, shares = Nearest(), []
    learn = rival.learn

    def always(n, inputs):
        return torch.eye(3)[n].expand(len(inputs), -1)

    def random():
        torch.rand(1)
        return partial(always, 1)

    def measuring(course):
        state = torch.get_rng_state()
        course.before(partial(always, 0), random)
        assert torch.equal(torch.get_rng_state(), state)
        labels = course.task.test_labels
        shares.append([(labels == n).double().mean().item() for n in (0, 1)])
        learn(course)

    rival.learn = measuring
    _, records = learned(make_plan(), rival)
    (found,) = of(BeforeTraining, records)
    assert found.stage == 1
    assert found.scores == {"test_accuracy": pytest.approx(shares[1][0])}
    assert found.untrained == {"test_accuracy": pytest.approx(shares[1][1])}


def test_a_rival_can_be_stopped(make_plan):
    """Ctrl-C would wait until a rival has learned everything."""
    asked = iter([False] * 10 + [True] * 100)
    whole, records = learned(make_plan(), Nearest(), lambda: next(asked))
    assert not whole
    assert len(of(Evaluated, records)) == 11
    assert len(of(StageFinished, records)) == 1


def test_a_rival_that_diverges_has_failed(make_plan):
    """It would be reported as a method of no accuracy at all."""
    rival = Nearest()
    learn = rival.learn

    def diverging(course):
        told = course.told
        learn(replace(course, told=lambda fitness, loss, n: told(fitness, math.nan, n)))

    rival.learn = diverging
    with pytest.raises(StageFailed, match="the loss is not finite"):
        learned(make_plan(), rival)


def test_a_rival_that_fails_is_named(make_plan):
    """The run would end in a traceback of somebody else's library."""
    rival = Nearest()
    rival.predict = lambda stage, inputs: inputs.no_such_thing
    with pytest.raises(PluginFailed, match="^rival: AttributeError"):
        learned(make_plan(), rival)


class Remembering(Nearest):
    """Keeps its means at the end of a stage."""

    def state(self):
        """The means."""
        return {"means": self.means}

    def restore(self, state, courses):
        """Take the means, and see which stages they are of."""
        self.means, self.restored = [*state["means"]], [course.stage for course in courses]


class Kept(Checkpointer):
    """Keeps what a rival carries after each stage."""

    def __init__(self):
        self.states = []

    def rival_finished(self, state, record):
        """A checkpoint, if there is anything to keep."""
        self.states.append(copy.deepcopy(state))
        return None if state is None else (f"stage-{record.stage}", "manifest")


def test_a_rival_resumes_after_its_last_stage(make_plan):
    """A stopped trial would learn all stages again, or report them twice."""
    trial, first, kept, records = Trial(0, "pathnet", 0), Remembering(), Kept(), []
    common = (make_plan(), trial, "cpu", records.append, lambda: False)
    assert learn_with_rival(*common, first, kept)
    whole, second = [*records], Remembering()
    records.clear()
    assert learn_with_rival(*common, second, Kept(), kept.states[0])
    assert second.restored == [0]
    assert [c.stage for c in second.courses] == [1]
    began = whole.index(next(r for r in of(StageStarted, whole) if r.stage == 1))
    after = [r for r in records if not isinstance(r, TaskMade)]
    assert timeless(after) == timeless(whole[began:])
    assert [r.checkpoint for r in of(StageFinished, whole)] == [
        ("stage-0", "manifest"),
        ("stage-1", "manifest"),
    ]


def test_a_rival_that_keeps_nothing_has_no_checkpoints(make_plan):
    """Its checkpoint could not be resumed from."""
    kept, records = Kept(), []
    trial = Trial(0, "pathnet", 0)
    learn_with_rival(make_plan(), trial, "cpu", records.append, lambda: False, Nearest(), kept)
    assert kept.states == [None, None]
    assert [record.checkpoint for record in of(StageFinished, records)] == [None, None]


def timeless(records):
    """Records without what depends on the clock."""

    def one(record):
        match record:
            case StageFinished():
                return replace(record, seconds=0.0)
            case Evaluated():
                return replace(record, evaluation=replace(record.evaluation, seconds=0.0))
        return record

    return [one(record) for record in records]
