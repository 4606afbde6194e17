"""Function-preserving mutation, and genotypes without repeated genes."""

import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pathnet_evo.core.genotype import PathShape
from pathnet_evo.core.kinds import Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.evaluations import Evaluation
from pathnet_evo.setup.problems import ConfigError
from pathnet_evo.strategies.aging import Aging
from pathnet_evo.strategies.binary_tournament import BinaryTournament
from pathnet_evo.strategies.mu_plus_lambda import MuPlusLambda
from pathnet_evo.strategies.nsga2 import NSGA2
from pathnet_evo.trial.inheritance import Inheritance


def evolving(evolves=BinaryTournament, **settings):
    """A pool, a head, a strategy with a few genotypes on it, and what copies for it."""
    pool = ModulePool([Linear(units=3)] * 2, 30, (4,))
    pool.initialise(lambda layer: Streams(0).torch("init", layer))
    head = pool.head(2, Streams(0).torch("readout"))
    options = {"population": 3, "mutation_rate": 0.5, "mutation_reach": 9, "repeats": False}
    strategy = evolves(pool.shape(2), random.Random(0), **{**options, **settings})
    return pool, head, strategy, Inheritance(pool, head, strategy)


def compete(strategy, rounds):
    """Tournaments whose winner is by chance; what was replaced, round by round."""
    rng = random.Random(1)
    for _ in range(rounds):
        for candidate in strategy.ask(2):
            strategy.tell(Evaluation(candidate, rng.random()))
        yield strategy.take_replacements()


def test_a_child_computes_what_its_parent_does():
    """Broken: each mutation would throw away what the module in its place had learned."""
    pool, head, strategy, inheritance = evolving()
    x, preserved = torch.randn(5, 4), 0
    for replacements in compete(strategy, 40):
        (replacement,) = replacements
        parent = strategy.population[replacement.winner]
        paths = [tuple(map(tuple, genotype)) for genotype in strategy.population]
        others = [p for i, p in enumerate(paths) if i != replacement.loser]
        before = [pool.network(path, head)(x) for path in others]
        copied = inheritance.replaced(replacements)
        for path, outputs in zip(others, before, strict=True):
            assert torch.equal(pool.network(path, head)(x), outputs), "nobody else changes"
        if len(copied) == len(replacement.changes):
            child = pool.network(paths[replacement.loser], head)(x)
            parents = pool.network(tuple(map(tuple, parent)), head)(x)
            torch.testing.assert_close(child, parents)
            preserved += bool(copied)
    assert preserved > 10


@pytest.mark.parametrize("evolves", [Aging, MuPlusLambda, NSGA2])
def test_weights_stay_where_a_fitness_was_measured_on_them(evolves):
    """Broken: a child would keep the fitness of weights that were overwritten after it."""
    pool, _, strategy, inheritance = evolving(evolves, population=4)
    before = [layer.parameters["weight"].clone() for layer in pool.layers]
    changed = 0
    for replacements in compete(strategy, 60):
        changed += sum(bool(r.changes) for r in replacements)
        assert inheritance.replaced(replacements) == ()
    assert changed > 5
    for layer, weights in zip(pool.layers, before, strict=True):
        assert torch.equal(layer.parameters["weight"], weights)


@pytest.mark.parametrize("name", ["aging", "mu-plus-lambda", "nsga2"])
def test_children_that_are_evaluated_before_they_could_inherit(name, make_plan):
    """Broken: an option that does nothing would be taken, and its user believe that it did."""
    controls = ["independent", "random"]
    strategy = {"name": name, "population": 4, "inherit": True}
    with pytest.raises(ConfigError, match=f"strategy.inherit: a child of {name} enters") as found:
        make_plan(strategy=strategy, arms=["pathnet", *controls]).rehearse()
    assert len(found.value.problems) == 1
    other = {"name": "other", "strategy": {"name": name}}
    with pytest.raises(ConfigError, match=r"arms.1.strategy.inherit: a child"):
        make_plan(strategy={"inherit": True}, arms=["pathnet", other]).rehearse()
    make_plan(strategy={"inherit": True}, arms=["pathnet", *controls]).rehearse()


def test_frozen_modules_are_never_overwritten():
    """Broken: an earlier task would be forgotten."""
    pool, _, strategy, inheritance = evolving()
    pool.freeze((tuple(range(30)),) * 2)
    before = [layer.parameters["weight"].clone() for layer in pool.layers]
    assert all(inheritance.replaced(found) == () for found in compete(strategy, 20))
    for layer, weights in zip(pool.layers, before, strict=True):
        assert torch.equal(layer.parameters["weight"], weights)


@pytest.mark.parametrize("strategy", [BinaryTournament, Aging])
def test_no_gene_repeats_where_it_must_not(strategy):
    """Broken: a path would be narrower than its user asked for."""
    options = {"population": 4, "mutation_rate": 1.0, "mutation_reach": 3, "repeats": False}
    evolved = strategy(PathShape(2, 5, 4), random.Random(0), **options)
    for _ in compete(evolved, 50):
        for genotype in evolved.population:
            assert all(len(set(row)) == 4 for row in genotype)


@given(st.lists(st.integers(0, 6), min_size=5, max_size=5))
def test_only_repeated_genes_change(row):
    """Broken: a mutation would move genes that it did not touch."""
    (found,) = PathShape(1, 7, 5).without_repeats([row])
    assert len(set(found)) == 5
    assert set(row) <= set(found)
    for i, gene in enumerate(row):
        if gene not in row[:i]:
            assert found[i] == gene
