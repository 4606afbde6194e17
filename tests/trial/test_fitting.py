"""When a readout of the columns is fitted, and what it looks at."""

from __future__ import annotations

import pytest
import torch

from pathnet_evo.core.fitted import FittedReadout
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup import config
from pathnet_evo.setup.resolving import resolve
from pathnet_evo.trial import fitting
from pathnet_evo.trial.fitting import tells_more
from pathnet_evo.trial.trial import Checkpointer, learn_sequence, state

FEW, MANY = {"examples": 40}, {"examples": 400}


class Kept(Checkpointer):
    """Keeps the state of the trial within its second stage."""

    within = None

    def between(self, pool, learned, stage_run, stopping):
        """Called between two rounds."""
        if len(learned) == 1 and stage_run.strategy.told >= 4 and self.within is None:
            self.within = state(pool, learned, stage_run)


def trial(second, arm="pathnet", start=None, kept=None, learner=None, **transfer):
    """Two stages of digits: the pool's checkpointer, and what was learned and recorded."""
    data = {
        "arms": [arm],
        "pool": {"modules": 6, "width": 2, "layers": [{"kind": "linear", "units": 8}]},
        "strategy": {"name": "racing"},
        "transfer": {"connect": "lateral", **transfer},
        "learner": {"name": "sgd", "n_batches": 20, "batch_size": 10, **(learner or {})},
        "stages": [
            {"generations": 4, "task": {"name": "digits", "classes": [0, 1, 2]}},
            {"generations": 4, "task": {"name": "digits", "classes": [3, 4, 5], **second}},
        ],
    }
    plan, records = resolve(config.validate(data), Registry()), []
    learned = learn_sequence(
        plan, Trial(0, arm, 0), "cpu", records.append, checkpointer=kept, start=start
    )
    return learned, records[-1].scores


def fitted(learned):
    """The second stage's fitted readout, or None."""
    columns = learned[1].head.columns
    return None if columns is None else columns.fitted


@pytest.mark.parametrize(
    ("second", "arm", "transfer", "expected"),
    [
        (FEW, "pathnet", {}, True),
        (FEW, "random-columns", {}, True),
        (FEW, "independent", {}, False),
        (FEW, "fine-tuning", {}, False),
        (FEW, "pathnet-2017", {}, False),
        (FEW, "pathnet", {"fitted_readout": False}, False),
        (MANY, "pathnet", {}, False),
        (MANY, "pathnet", {"fitted_readout": True}, True),
    ],
)
def test_it_is_fitted_where_examples_are_few(second, arm, transfer, expected, monkeypatch):
    """Broken: features that suit another task would outvote a network that had enough to learn."""
    monkeypatch.setattr(fitting, "tells_more", lambda *given: True)
    learned, _ = trial(second, arm, **transfer)
    assert (fitted(learned) is not None) == expected


def test_of_many_examples_none_is_fitted(monkeypatch):
    """Broken: a readout fitted on some of the examples would outvote one trained on all."""
    monkeypatch.setattr(fitting, "MOST", 39)
    monkeypatch.setattr(fitting, "tells_more", lambda *given: True)
    assert fitted(trial(FEW)[0]) is None


@pytest.mark.parametrize(("seed", "units", "expected"), [(0, 40, True), (0, 1, False)])
def test_columns_have_to_tell_more_than_inputs(seed, units, expected):
    """Broken: a readout of what tells little would outvote one that is trained well."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(60) % 3
    inputs = torch.randn(60, 30, generator=generator) + torch.eye(3, 30)[labels]
    told = torch.randn(60, units, generator=generator) + 3 * torch.eye(3, units)[labels]
    told = told if expected else torch.randn(60, units, generator=generator)
    assert tells_more(FittedReadout.fit([[told]], labels, 3), inputs, labels) == expected


def test_a_readout_that_makes_held_out_examples_worse_is_dropped(monkeypatch):
    """Broken: what a user holds out would show that the network got worse, to no effect."""
    learner = {"validation_fraction": 0.25}
    assert fitted(trial(FEW, learner=learner, fitted_readout=True)[0]) is not None
    monkeypatch.setattr(FittedReadout, "forward", lambda self, logits, heard: -logits)
    assert fitted(trial(FEW, learner=learner, fitted_readout=True)[0]) is None


def test_scores_are_of_both_readouts_together(monkeypatch):
    """Broken: what is scored would not be what predicts."""
    kept = Kept()
    learned, scores = trial(FEW, kept=kept, fitted_readout=True)
    assert fitted(learned).weight != 1
    monkeypatch.setattr(FittedReadout, "forward", lambda self, logits, heard: -logits)
    _, turned = trial(FEW, fitted_readout=True)
    assert turned[1] != scores[1]
    assert turned[0] == scores[0]


def test_examples_that_are_held_out_are_not_looked_at(monkeypatch):
    """Broken: fitness would be measured on what the readout was fitted on."""
    seen = []
    original = FittedReadout.fit.__func__

    def fit(cls, heard, labels, outputs):
        seen.append(len(labels))
        return original(cls, heard, labels, outputs)

    monkeypatch.setattr(FittedReadout, "fit", classmethod(fit))
    trial(FEW, learner={"validation_fraction": 0.25}, fitted_readout=True)
    assert seen == [30]


def test_a_resumed_stage_ends_with_the_same_readout():
    """Broken: a killed run would answer otherwise after it was resumed."""
    kept = Kept()
    whole, scores = trial(FEW, kept=kept, fitted_readout=True)
    resumed, again = trial(FEW, start=kept.within, fitted_readout=True)
    assert again == scores
    for one, other in zip(fitted(whole).parameters(), fitted(resumed).parameters(), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(fitted(whole).weight, fitted(resumed).weight)
