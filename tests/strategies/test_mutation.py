"""The paper's mutation, by its statistics (section 2.2)."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from scipy.stats import binomtest, chisquare

from pathnet_evo.core.genotype import Genotype, mutate_step
from pathnet_evo.core.streams import lend

L, M, N = 3, 20, 5


def test_a_gene_changes_as_often_and_as_far_as_the_paper_says():
    """A half-open range, which never draws +2, would let paths drift to low indices."""
    rng = random.Random(20170130)
    moves: Counter[int] = Counter()
    drawn = 0
    with lend(rng):
        while drawn < 1_000_000:
            genotype = Genotype([[10] * 500] * 20)
            mutate_step(genotype, (M,) * 20, 1 / (N * L), 2)
            moves.update(gene - 10 for row in genotype for gene in row)
            drawn += 20 * 500
    changed = drawn - moves.pop(0)
    assert set(moves) == {-2, -1, 1, 2}
    assert chisquare([moves[step] for step in (-2, -1, 1, 2)]).pvalue > 0.01
    assert binomtest(changed, drawn, 1 / (N * L) * 4 / 5).pvalue > 0.01


@pytest.mark.parametrize("wrap", [False, True])
def test_no_gene_leaves_its_range(wrap: bool):
    """A path would name a module that the pool does not have."""
    counts = (1, 2, 3, 20)
    genotype = Genotype([[0], [0], [0], [0]])
    seen: list[set[int]] = [set() for _ in counts]
    with lend(random.Random(3)):
        for _ in range(20_000):
            mutate_step(genotype, counts, 0.5, 2, wrap)
            for genes, row in zip(seen, genotype, strict=True):
                genes.update(row)
    assert seen == [set(range(count)) for count in counts]


def test_wrapping_goes_round_the_end():
    """The option ``wrap`` would be the clamp."""
    moved: list[dict[bool, set[int]]] = [{False: set(), True: set()} for _ in range(2)]
    for wrap in (False, True):
        with lend(random.Random(0)):
            for _ in range(200):
                for end, gene in enumerate((0, 9)):
                    (child,) = mutate_step(Genotype([[gene]]), (10,), 1.0, 2, wrap)
                    moved[end][wrap].add(child[0][0])
    assert moved[0] == {False: {0, 1, 2}, True: {8, 9, 0, 1, 2}}
    assert moved[1] == {False: {7, 8, 9}, True: {7, 8, 9, 0, 1}}
