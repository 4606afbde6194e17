"""Racing: starts compete for a little of the budget, and the best gets the rest."""

import random

import pytest

from pathnet_evo.core.genotype import PathShape
from pathnet_evo.interfaces.budget import Budget
from pathnet_evo.interfaces.evaluations import Evaluation
from pathnet_evo.interfaces.policies import Start
from pathnet_evo.strategies.racing import Racing

SHAPE = PathShape(2, 12, 2)
STARTS = [Start(((2 * i, 2 * i + 1),) * 2) for i in range(4)]


def race(fitness, evaluations=100, starts=STARTS, race=0.1, starts_at_most=3):
    """Evaluate to the end of the budget; which slot each evaluation had, and the strategy."""
    budget = Budget(evaluations)
    settings = Racing.Settings(race=race, starts=starts_at_most)
    strategy = Racing(SHAPE, random.Random(0), settings, starts=starts, budget=budget)
    slots = []
    while strategy.told < evaluations:
        for candidate in strategy.ask(1):
            start = next(
                i for i, s in enumerate([*starts, *STARTS]) if s.rows == candidate.genotype
            )
            slots.append(start)
            value = fitness(start, strategy.told)
            strategy.tell(Evaluation(candidate, value))
            budget.used = strategy.told
    return slots, strategy


def test_the_best_start_gets_all_but_the_race():
    """Broken: the budget would be spread over paths that are thrown away."""
    slots, strategy = race(lambda slot, told: 0.1 * slot, race=0.2)
    assert slots[21:] == [2] * 79, "three starts by default, the third is the best"
    assert strategy.best() == [[4, 5], [4, 5]]


def test_half_of_those_that_race_go_on():
    """Broken: four starts would share the race to its end, and none be trained enough."""
    slots, _ = race(lambda slot, told: -float(slot), race=0.4, starts_at_most=4)
    assert set(slots[:20]) == {0, 1, 2, 3}
    assert set(slots[24:38]) == {0, 1}
    assert set(slots[42:]) == {0}


def test_a_first_task_runs_no_race():
    """Broken: a first task would spend its budget on choosing between equals."""
    slots, strategy = race(lambda slot, told: 0.5, starts=[])
    assert set(slots) == {0}
    assert strategy.best() == [[0, 1], [0, 1]]


def test_a_start_that_fails_loses():
    """Broken: a start without a finite fitness would be frozen."""
    slots, _ = race(lambda slot, told: None if slot == 0 else 0.1)
    assert 0 not in slots[15:]


@pytest.mark.parametrize("stop", [3, 10, 30])
def test_a_race_is_resumed_where_it_was(stop):
    """Broken: a run that was killed in a race would choose another start."""
    values = [0.3, 0.5, 0.4]

    def follow(strategy, budget, n):
        for _ in range(n):
            (candidate,) = strategy.ask(1)
            strategy.tell(Evaluation(candidate, values[candidate.genotype[0][0] // 2]))
            budget.used = strategy.told
        return strategy

    budget = Budget(100)
    whole = follow(Racing(SHAPE, random.Random(0), starts=STARTS, budget=budget), budget, stop)
    again = Budget(100, used=stop)
    resumed = Racing(SHAPE, random.Random(1), starts=STARTS, budget=again)
    resumed.restore(whole.state())
    follow(whole, budget, 40)
    follow(resumed, again, 40)
    assert whole.state() == resumed.state()


def sub_paths(start, visits, evaluations=20, **settings):
    """The genotypes of a stage's evaluations, one start alone, and the path that it ends with."""
    budget = Budget(evaluations, visits=visits)
    options = Racing.Settings(**settings)
    strategy = Racing(SHAPE, random.Random(0), options, starts=[start], budget=budget)
    genotypes = []
    while strategy.told < evaluations:
        (candidate,) = strategy.ask(1)
        genotypes.append(candidate.genotype)
        strategy.tell(Evaluation(candidate, 0.5))
        budget.used = strategy.told
    return genotypes, strategy.best()


COPIES = Start(((4, 5), (6, 7)), copy_of=0, retrain=True)


def test_copies_that_must_change_are_trained_by_sub_paths():
    """Broken: few examples would be learned by heart, or the path be frozen without modules."""
    genotypes, best = sub_paths(COPIES, visits=50.0)
    for rows in genotypes[:14]:
        for row, modules in zip(rows, COPIES.rows, strict=True):
            assert len(set(row)) == 1
            assert set(row) < set(modules)
    assert len(set(genotypes[:14])) == 4, "each of the two modules of each of two layers"
    assert genotypes[14:] == [COPIES.rows] * 6, "the end trains the whole path"
    assert best == [[4, 5], [6, 7]]


@pytest.mark.parametrize(
    ("start", "visits", "settings"),
    [
        (Start(COPIES.rows, copy_of=0), 50.0, {}),
        (COPIES, 5.0, {}),
        (COPIES, None, {}),
        (COPIES, 50.0, {"module_dropout": 0}),
    ],
)
def test_whole_paths_are_trained_elsewhere(start, visits, settings):
    """Broken: tasks of many examples, and games, would be learned by parts of a path."""
    genotypes, _ = sub_paths(start, visits, **settings)
    assert set(genotypes) == {COPIES.rows}
