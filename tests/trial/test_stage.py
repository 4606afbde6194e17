"""A trial that is left and gone on with, against one that is not."""

import copy

import pytest
import torch

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
