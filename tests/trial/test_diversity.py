"""Measures of diversity, computed from module counts, against loops over all pairs."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pathnet_evo.core.genotype import Path, PathShape, distinct
from pathnet_evo.core.streams import lend
from pathnet_evo.trial.diversity import diversity

SHAPE = PathShape(3, (5, 1, 9), 1)
COUNTS = SHAPE.counts


def paths() -> st.SearchStrategy[Path]:
    layers = [
        st.sets(st.integers(0, count - 1), min_size=1, max_size=4).map(lambda s: tuple(sorted(s)))
        for count in COUNTS
    ]
    return st.tuples(*layers)


@settings(max_examples=60, deadline=None)
@given(st.lists(paths(), min_size=1, max_size=12), paths())
def test_agrees_with_a_loop_over_all_pairs(population: list[Path], frozen: Path):
    """The curves of diversity in a report would show something else than they say."""
    found = diversity(population, COUNTS, frozen)
    distances = []
    for a, b in itertools.permutations(population, 2):
        modules = [(i, m) for i, layer in enumerate(a) for m in layer]
        distances.append(sum(m not in b[i] for i, m in modules) / len(modules))
    expected = sum(distances) / len(distances) if distances else 0.0
    assert found["mean_path_distance"] == pytest.approx(expected, abs=1e-12)
    assert found["distinct_paths"] == len({repr(path) for path in population})
    bits, relative = [], []
    for i, count in enumerate(COUNTS):
        uses = [sum(m in path[i] for path in population) for m in range(count)]
        shares = [used / sum(uses) for used in uses if used]
        bits.append(-sum(share * math.log2(share) for share in shares))
        if count > 1:
            relative.append(bits[-1] / math.log2(count))
    assert found["usage_entropy"] == pytest.approx(sum(bits) / 3, abs=1e-12)
    assert found["usage_entropy_normalised"] == pytest.approx(sum(relative) / 2, abs=1e-12)
    shares = [
        sum(m in frozen[i] for m in path[i]) / len(path[i]) for path in population for i in range(3)
    ]
    assert found["frozen_overlap"] == pytest.approx(sum(shares) / len(shares))


def test_random_paths_overlap_with_what_is_frozen_as_chance_says():
    """Reuse of frozen modules would be compared with the wrong chance."""
    shape = PathShape(3, (5, 10, 20), 4)
    frozen = ((0, 1, 3), (), (2, 4, 5, 7, 8))
    with lend(random.Random(4)):
        population = [distinct(shape.random()) for _ in range(20_000)]
    found = diversity(population, shape.counts, frozen)
    assert found["frozen_overlap_chance"] == pytest.approx((3 / 5 + 0 + 5 / 20) / 3)
    assert found["frozen_overlap"] == pytest.approx(found["frozen_overlap_chance"], abs=0.005)


def test_the_ends_of_the_scales():
    """A population that has converged would not show as such."""
    same = diversity([((0, 1), (2,))] * 5, (4, 4), ((0, 1), (2,)))
    assert same["mean_path_distance"] == pytest.approx(0.0)
    assert (same["distinct_paths"], same["frozen_overlap"]) == (1.0, 1.0)
    apart = diversity([((i,), (i,)) for i in range(4)], (4, 4), ((), ()))
    assert apart["mean_path_distance"] == 1.0
    assert apart["usage_entropy"] == pytest.approx(2.0)
    assert apart["usage_entropy_normalised"] == pytest.approx(1.0)
    with pytest.raises(ValueError, match="without paths"):
        diversity([], (4, 4), ((), ()))
