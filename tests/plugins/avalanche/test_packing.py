"""PackNet's frozen weights."""

from __future__ import annotations

import copy

import pytest
import torch

from pathnet_evo_avalanche.answers import answer


@pytest.mark.parametrize("optimizer", [{"momentum": 0.9}, {"optimizer": "AdamW"}])
def test_packed_weights_keep_their_bits(optimizer, follow, make_plan):
    """Predictions of earlier tasks would drift, if only a little."""
    inputs, seen = torch.rand(20, 1, 4, 4, generator=torch.Generator().manual_seed(0)), []

    def asked(rival, course):
        model = rival.strategy.model
        if course.stage and model.state is model.State.TRAINING:
            # A copy, for a model that answers for an earlier task no longer trains.
            seen.append(answer(copy.deepcopy(model), 0, 3, inputs))

    learner = {"weight_decay": 0.1, "learning_rate": 0.01, **optimizer}
    rival = follow("packnet", make_plan(learner=learner), asked)
    assert len(seen) == 5, "evaluations before pruning"
    seen.append(rival.predict(0, inputs))
    assert all(torch.equal(each, seen[0]) for each in seen)
    assert not torch.equal(rival.predict(1, inputs), seen[0])
