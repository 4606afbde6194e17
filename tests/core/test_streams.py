import random

import pytest
import torch

from pathnet_evo.core.streams import Streams, lend


def draws(streams, name, *key):
    """The first draws of a stream, from each family of generator."""
    return (
        tuple(streams.numpy(name, *key).integers(2**62, size=4)),
        tuple(torch.randint(2**62, (4,), generator=streams.torch(name, *key)).tolist()),
        tuple(streams.python(name, *key).getrandbits(62) for _ in range(4)),
    )


def test_equal_keys_give_equal_streams():
    """Broken: a run could not be repeated."""
    assert draws(Streams(3).at(1), "data", 5) == draws(Streams(3, 1), "data", 5)


def test_streams_of_different_keys_differ():
    """Broken: initial weights, data and evolution would be correlated."""
    keys = [
        (Streams(seed, stage), name, *key)
        for seed in (0, 1, 2**62)
        for stage in (None, 0, 1)
        for name in ("init", "data")
        for key in ((), (0,), (1,))
    ]
    for family in range(3):
        assert len({draws(*key)[family] for key in keys}) == len(keys)


def test_a_loan_draws_from_the_lent_and_leaves_the_global_generator():
    """Broken: a user's own use of ``random`` would change with evolution, or change evolution."""
    mine, alike = random.Random(7), random.Random(7)
    random.seed(1)
    before = random.getstate()
    with lend(mine):
        drawn = [random.random() for _ in range(3)]
    assert random.getstate() == before
    assert drawn == [alike.random() for _ in range(3)]
    with pytest.raises(ZeroDivisionError), lend(mine):
        random.random() / 0
    assert random.getstate() == before
    alike.random()
    assert mine.random() == alike.random(), "what was drawn in a loan counts"
