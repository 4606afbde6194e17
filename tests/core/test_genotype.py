import copy

import hypothesis.strategies as st
import pytest
from hypothesis import given

from pathnet_evo.core.genotype import (
    Genotype,
    PathError,
    PathShape,
    distinct,
    join,
    n_modules,
    overlap,
)

ROWS = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=5), min_size=1, max_size=4)


@given(ROWS)
def test_distinct_names_each_module_once(rows):
    """Broken: the network would see other modules than the genotype names."""
    path = distinct(rows)
    assert distinct(path) == path
    assert [set(row) for row in rows] == [set(row) for row in path]
    assert all(list(row) == sorted(set(row)) for row in path)
    assert n_modules(path) == sum(len(set(row)) for row in rows)


@given(ROWS)
def test_paths_join_and_overlap_as_sets_do(rows):
    """Broken: reuse would be reported wrongly."""
    path = distinct(rows)
    other = distinct([[(g + 1) % 10 for g in row] for row in rows])
    assert join([path, other]) == tuple(
        tuple(sorted({*a, *b})) for a, b in zip(path, other, strict=True)
    )
    assert overlap(path, path) == n_modules(path)
    assert overlap(path, other) == sum(len({*a} & {*b}) for a, b in zip(path, other, strict=True))


@given(ROWS)
def test_a_copy_is_independent(rows):
    """Broken: mutating a winner's copy would mutate the winner."""
    genotype = Genotype(rows)
    genotype.fitness.values = (0.5,)
    for twin in (genotype.copy(), copy.deepcopy(genotype)):
        assert twin == genotype
        assert twin.fitness.values == (0.5,)
        twin[0][0] += 1
        del twin.fitness.values
        assert genotype == rows
        assert genotype.fitness.values == (0.5,)


@pytest.mark.parametrize(
    "rows", [[[0, 1]], [[0], [1]], [[0, 10], [0, 0]], [[0, 1], [-1, 0]], [[0, True], [0, 0]]]
)
def test_a_genotype_outside_the_space_of_paths_is_refused(rows):
    """Broken: a plugin's operator could send evolution to modules that are not there."""
    with pytest.raises(PathError):
        PathShape(2, 10, 2).check(rows)


@pytest.mark.parametrize("shape", [(0, 3, 1), (1, 3, 0), (1, 3, 4), (2, (3,), 1), (2, (5, 2), 3)])
def test_a_space_without_paths_is_refused(shape):
    """Broken: a configuration that cannot work would fail in the middle of a run."""
    with pytest.raises(PathError):
        PathShape(*shape)


def test_random_and_full_width_paths_are_within_their_layers():
    """Broken: a layer that has grown would never have its new modules used, or too many."""
    shape = PathShape(2, (2, 8), 2)
    seen = [shape.random() for _ in range(300)]
    for rows in [*seen, shape.full_width()]:
        shape.check(rows)
    assert {gene for rows in seen for gene in rows[0]} == {0, 1}
    assert {gene for rows in seen for gene in rows[1]} == set(range(8))
    assert n_modules(distinct(shape.full_width())) == 4
