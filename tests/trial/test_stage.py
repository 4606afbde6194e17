"""A trial that is left and gone on with, against one that is not."""

import copy
from dataclasses import replace

import pytest
import torch

from pathnet_evo.engines.inline import InlineEngine
from pathnet_evo.interfaces.evaluations import Evaluator
from pathnet_evo.interfaces.records import Evaluated, StageFinished, StageResumed
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.trial.trial import Checkpointer, learn_sequence, state


class States(Checkpointer):
    """Takes the state of a trial between all rounds and at the end of each stage."""

    def __init__(self):
        self.states = []

    def between(self, pool, learned, stage_run, stopping):
        self.states.append(copy.deepcopy(state(pool, learned, stage_run)))

    def finished(self, pool, learned, record):
        self.states.append(copy.deepcopy(state(pool, learned)))


def same(a, b):
    """Whether two states are equal but for the time that was taken."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a if k != "seconds")
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def told(records):
    """Records of evolution as they must repeat."""
    return [
        (r.stage, r.number, r.evaluation.candidate, r.evaluation.fitness, r.replacements)
        for r in records
        if isinstance(r, Evaluated)
    ]


@pytest.mark.parametrize("learner", [{}, {"slots": 2}])
@pytest.mark.parametrize("arm", ["pathnet", "fine-tuning"])
def test_a_trial_goes_on_as_if_it_had_not_been_left(make_plan, arm, learner):
    """Broken: a resumed run would be another run, and nobody would know."""
    plan, trial = make_plan(learner=learner), Trial(0, arm, 0)
    whole, records = States(), []
    learn_sequence(plan, trial, "cpu", records.append, checkpointer=whole)
    assert len(whole.states) > 16
    scores = [r.scores for r in records if isinstance(r, StageFinished)]
    for i, start in enumerate(whole.states):
        rest, again = States(), []
        learn_sequence(
            plan, trial, "cpu", again.append, checkpointer=rest, start=copy.deepcopy(start)
        )
        wanted = whole.states[i:] if start["session"] else whole.states[i + 1 :]
        assert len(rest.states) == len(wanted)
        assert all(map(same, rest.states, wanted)), i
        ours = told(again)
        assert ours == told(records)[len(told(records)) - len(ours) :]
        more = [r.scores for r in again if isinstance(r, StageFinished)]
        assert more == scores[len(scores) - len(more) :]
        assert len([r for r in again if isinstance(r, StageResumed)]) == bool(start["session"])


class Slow(Evaluator):
    """Passes on to an evaluator, after a number of moments in which workers said nothing."""

    def __init__(self, inner, moments):
        self.inner, self.moments, self.waited = inner, moments, 0

    @property
    def free(self):
        """Those of the other."""
        return self.inner.free

    def submit(self, candidate):
        """To the other."""
        self.inner.submit(candidate)

    def advance(self):
        """Wait for a moment, or let the other train."""
        self.waiting = self.waited < self.moments
        self.waited = self.waited + 1 if self.waiting else 0
        return [] if self.waiting else self.inner.advance()

    def cancel(self):
        """Of the other."""
        self.inner.cancel()


class Impatient(InlineEngine):
    """An engine whose evaluations take a number of moments."""

    moments: int = 0

    def evaluator(self, learner, context):
        """A slow one."""
        return Slow(super().evaluator(learner, context), self.moments)


@pytest.mark.parametrize("moments", [1, 3])
def test_how_long_workers_take_makes_no_difference(make_plan, moments):
    """Broken: rounds, and what operators draw in them, would count moments of waiting."""
    found = []
    for engine in (InlineEngine(), Impatient(moments=moments)):
        kept = States()
        plan = replace(make_plan(), engine=engine)
        learn_sequence(plan, Trial(0, "pathnet", 0), "cpu", lambda r: None, checkpointer=kept)
        found.append(kept.states)
    assert len(found[0]) == len(found[1])
    assert all(map(same, *found))
