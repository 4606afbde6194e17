"""Sizes of networks and scores before training, counted and computed by hand."""

from __future__ import annotations

import pytest
import torch

from pathnet_evo.interfaces.records import BeforeTraining, NetworkMeasured
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup import config
from pathnet_evo.setup.resolving import resolve
from pathnet_evo.trial.measuring import counted
from pathnet_evo.trial.trial import Checkpointer, learn_sequence

DIGITS = {"generations": 2, "task": {"name": "digits", "classes": [0, 1, 2]}}
LINEAR = [{"kind": "linear", "units": 5, "repeat": 2}]
CONV = [
    {"kind": "conv2d", "channels": 2, "kernel": 3, "padding": 1},
    {"kind": "linear", "units": 5},
]


class Pools(Checkpointer):
    """Keeps each stage's pool and what was learned so far."""

    def __init__(self):
        self.kept = []

    def finished(self, pool, learned, record):
        """Called as a stage ends."""
        self.kept.append((pool, list(learned)))


def trial(layers, arm="pathnet", stages=3, **settings):
    """A trial on digits with full-width paths, its records by type, and its pools."""
    data = {
        "arms": [arm],
        "pool": {"modules": 6, "width": 2, "layers": layers},
        "strategy": {"name": "fixed-path"},
        "learner": {"name": "sgd", "n_batches": 20, "batch_size": 4, "learning_rate": 0.1},
        "stages": [DIGITS] * stages,
        **settings,
    }
    plan, found, pools = resolve(config.validate(data), Registry()), [], Pools()
    learned = learn_sequence(plan, Trial(0, arm, 0), "cpu", found.append, checkpointer=pools)
    sizes = [record for record in found if isinstance(record, NetworkMeasured)]
    before = [record for record in found if isinstance(record, BeforeTraining)]
    return plan, learned, pools, sizes, before


def test_sizes_of_linear_paths():
    """Costs would be those of another network than the one that predicts."""
    *_, sizes, _ = trial(LINEAR, "fine-tuning")
    path = 2 * (64 * 5 + 5) + 2 * (5 * 5 + 5)
    readout = 5 * 3 + 3
    assert [size.parameters for size in sizes] == [path + readout] * 3
    assert [size.multiply_adds for size in sizes] == [2 * 64 * 5 + 2 * 5 * 5 + 5 * 3] * 3
    assert [size.stored for size in sizes] == [path + (i + 1) * readout for i in range(3)]


def test_sizes_of_convolutions():
    """Weights that are used at many positions would count once."""
    (size, *_) = trial(CONV, stages=1)[3]
    assert size.multiply_adds == 64 * 2 * 2 * 9 + 2 * (2 * 64) * 5 + 5 * 3


@pytest.mark.parametrize("weights", [False, True], ids=["", "and its weights"])
def test_attention_counts(weights):
    """A plugin's modules that attend would look as if they cost nothing: torch fuses them."""
    tokens, size = 16, 32
    attention = torch.nn.MultiheadAttention(size, 4, batch_first=True).eval()
    products = 4 * tokens * size * size + 2 * tokens * tokens * size
    found = counted(
        lambda x: attention(x, x, x, need_weights=weights)[0], (tokens, size), torch.device("cpu")
    )
    assert found == products
    assert torch.backends.mha.get_fastpath_enabled()


def test_networks_of_their_own_are_stored_one_by_one():
    """``independent`` would look as if all its networks fitted into one."""
    *_, sizes, _ = trial(LINEAR, "independent")
    assert [size.stored for size in sizes] == [(i + 1) * sizes[0].parameters for i in range(3)]


def test_columns_and_their_maps_count():
    """A network that listens to others would look as cheap as one that does not."""
    lateral = {"connect": "lateral", "prior": False}
    learned, _, sizes, _ = trial(LINEAR, transfer=lateral, strategy={"name": "racing"})[1:]
    assert learned[1].head.columns.stages == (0,)
    first, second, third = sizes
    modules = first.parameters - (5 * 3 + 3)
    heard = 2 * 5  # units of a layer of the column
    maps = 2 * (heard * 5) + heard * 3
    assert second.parameters == first.parameters + modules + maps
    assert second.multiply_adds == first.multiply_adds + (2 * 64 * 5 + 2 * 5 * 5) + maps
    assert second.stored == first.stored + first.parameters + maps
    # The third listens to both, and the second, which is heard, to the first: that one counts once.
    of_both = 2 * (2 * heard * 5) + 2 * heard * 3
    assert third.parameters == first.parameters + 2 * modules + 2 * (heard * 5) + of_both
    path = 2 * 64 * 5 + 2 * 5 * 5
    assert third.multiply_adds == first.multiply_adds + 2 * path + 2 * (heard * 5) + of_both


@pytest.mark.parametrize("connect", ["named", "lateral"])
def test_a_task_is_scored_before_it_is_trained(connect):
    """Forward transfer would be that of other features, of another readout, or after training."""
    learned, pools, _, before = trial(LINEAR, transfer={"connect": connect})[1:]
    assert [record.stage for record in before] == [1, 2]
    for record in before:
        i = record.stage
        pool, so_far = pools.kept[i - 1]
        last, task = so_far[-1], learned[i].task
        readout = pool.readout(3, trial_streams(i).torch("readout"))
        network = last.network(pool)
        for name, values in readout.parameters.items():
            weights = network.layers[-1][name]
            weights.data.zero_()  # the maps from columns into the readout
            weights.data[(..., slice(0, values.shape[-1]))].copy_(values)
        x = (task.test_inputs.float() - task.shift) * task.scale
        network.shift, network.scale = torch.tensor(0.0), torch.tensor(1.0)
        with torch.no_grad():
            right = (network(x).argmax(1) == task.test_labels).float().mean()
        if connect == "named" or i == 1:  # later stages re-initialise what is not frozen
            assert record.scores["test_accuracy"] == pytest.approx(float(right))
        assert 0 <= record.untrained["test_accuracy"] < 0.9


def trial_streams(stage):
    """The random streams of a stage of the trial."""
    from pathnet_evo.core.streams import Streams

    return Streams(0, stage)


def test_measuring_changes_nothing_that_is_learned(monkeypatch):
    """A run would learn something else than before, since scoring drew random numbers."""
    from pathnet_evo_sgd.learner import SGD

    def weights():
        learned, pools = trial(LINEAR)[1:3]
        network = learned[-1].network(pools.kept[-1][0])
        return [values.clone() for values in network.parameters()]

    score = SGD.score

    def drawing(self, network, task, streams):
        torch.rand(7)
        return score(self, network, task, streams)

    plain = weights()
    monkeypatch.setattr(SGD, "score", drawing)
    assert all(torch.equal(a, b) for a, b in zip(plain, weights(), strict=True))
