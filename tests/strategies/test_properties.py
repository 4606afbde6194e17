"""Every strategy under any order of finishing and any failures, and what DEAP gets to see."""

from __future__ import annotations

import math
import random
from collections import Counter
from importlib import import_module
from typing import Any

import pytest
from deap import base
from hypothesis import given, settings
from hypothesis import strategies as st

from pathnet_evo.core.genotype import PathShape
from pathnet_evo.interfaces.budget import Budget
from pathnet_evo.interfaces.evaluations import Candidate, Evaluation, Evaluator, StageFailed
from pathnet_evo.interfaces.policies import Start
from pathnet_evo.interfaces.strategies import Strategy
from pathnet_evo.plugins import builtin
from pathnet_evo.trial.loop import evolve

FOUND: dict[str, Any] = {}
builtin.register_strategies(FOUND.__setitem__)
STRATEGIES: dict[str, type[Strategy]] = {
    name: getattr(import_module(path.partition(":")[0]), path.partition(":")[2])
    for name, path in FOUND.items()
}
FITNESS = st.one_of(st.none(), st.floats(), st.sampled_from([0.0, 0.5, 1.0, 1.7e308, -1.7e308]))
EVENTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), FITNESS), max_size=60)


@pytest.mark.parametrize("name", STRATEGIES)
@settings(max_examples=40, deadline=None)
@given(events=EVENTS, cut=st.integers(0, 59), fours=st.integers(1, 3), seed=st.integers(0, 99))
def test_any_order_any_fitness(name: str, events: Any, cut: int, fours: int, seed: int):
    """Some order of workers, or some number, would lose an evaluation or stop evolution."""
    shape, size = PathShape(2, (3, 5), 2), 4 * fours
    strategy = STRATEGIES[name](shape, random.Random(seed), population=size)
    flight: list[Candidate] = []
    finite: dict[int, float] = {}
    ids: list[int] = []
    for number, (n, which, fitness) in enumerate(events):
        asked = strategy.ask(n if flight else n + 1)
        flight += asked
        ids += [candidate.id for candidate in asked]
        assert flight
        assert len({candidate.slot for candidate in flight}) == len(flight)
        candidate = flight.pop(which % len(flight))
        shape.check(candidate.genotype)
        if fitness is not None and math.isfinite(fitness):
            finite[candidate.id] = fitness
        strategy.tell(Evaluation(candidate, fitness))
        if number == cut:
            state, restored = (
                strategy.state(),
                STRATEGIES[name](shape, random.Random(), population=size),
            )
            restored.restore(state)
            assert restored.state() == state
            strategy = restored
        assert len(strategy.population) == size
        for member in strategy.members:
            shape.check(member.genotype)
            assert all(map(math.isfinite, member.genotype.fitness.values))
            if member.candidate is not None:
                assert member.genotype.fitness.values[0] == finite[member.candidate]
        best = strategy.best()
        assert best is None or best.fitness.values[0] in finite.values()
    assert strategy.told == len(events)
    assert ids == list(range(len(ids)))
    top = sorted(finite.values())[-1:]
    assert [g.fitness.values[0] for g in strategy.halloffame][:1] == top


@pytest.mark.parametrize("name", STRATEGIES)
def test_nothing_that_is_not_finite_reaches_deap(name: str, monkeypatch: pytest.MonkeyPatch):
    """DEAP takes NaN without a word, and selects nonsense from then on."""
    given_values: list[float] = []
    original = base.Fitness.setValues

    def watched(self: base.Fitness, values: Any) -> None:
        given_values.extend(values)
        original(self, values)

    monkeypatch.setattr(base.Fitness, "values", property(base.Fitness.getValues, watched))
    monkeypatch.setattr(
        base.Fitness, "values", property(base.Fitness.getValues, watched, base.Fitness.delValues)
    )
    strategy = STRATEGIES[name](PathShape(2, 6, 2), random.Random(0), population=8)
    odd = [math.nan, math.inf, -math.inf, None]
    for number in range(200):
        for candidate in strategy.ask(1):
            fitness = odd[number % 4] if number % 3 == 0 else 0.1 * (number % 7)
            strategy.tell(Evaluation(candidate, fitness))
    assert given_values
    assert all(map(math.isfinite, given_values))


class Broken(Evaluator):
    """Its evaluations end with a fitness that is no number."""

    def __init__(self) -> None:
        self.taken: list[Candidate] = []

    @property
    def free(self) -> int:
        return 2 - len(self.taken)

    def submit(self, candidate: Candidate) -> None:
        self.taken.append(candidate)

    def advance(self) -> list[Evaluation]:
        over, self.taken = self.taken, []
        return [Evaluation(candidate, math.nan) for candidate in over]

    def cancel(self) -> None:
        self.taken = []


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_stage_in_which_nothing_is_finite_ends(name: str):
    """A run whose every loss is NaN would go on until its budget is spent."""
    strategy = STRATEGIES[name](PathShape(2, 6, 2), random.Random(0), population=8)
    heard: list[Evaluation] = []
    with pytest.raises(StageFailed, match="8 evaluations failed in a row.*the fitness is nan"):
        evolve(strategy, Broken(), lambda: False, heard.append)
    assert all(evaluation.failed for evaluation in heard)


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_logbook_and_the_hall_of_fame_say_what_happened(name: str):
    """DEAP's users would read wrong statistics off the objects they know."""
    strategy = STRATEGIES[name](PathShape(3, 10, 3), random.Random(0), population=8)
    size, told, best = strategy.generation_size, [], {}
    for number in range(10 * size + size // 2):
        (candidate,) = strategy.ask(1)
        fitness = None if number % 5 == 0 else random.Random(number).random()
        told.append(fitness)
        key = tuple(map(tuple, candidate.genotype))
        if fitness is not None:
            best[key] = max(fitness, best.get(key, fitness))
        strategy.tell(Evaluation(candidate, fitness))
    assert strategy.generation == len(strategy.logbook) == 10
    for generation, entry in enumerate(strategy.logbook):
        mine = [f for f in told[generation * size :][:size] if f is not None]
        assert (entry["gen"], entry["nevals"]) == (generation, size)
        assert (entry["min"], entry["max"]) == (min(mine), max(mine))
        assert entry["avg"] == pytest.approx(sum(mine) / len(mine))
    hall = {tuple(map(tuple, g)): g.fitness.values[0] for g in strategy.halloffame}
    assert hall == dict(sorted(best.items(), key=lambda item: -item[1])[:10])


def test_the_logbook_stays_as_long_as_it_is(monkeypatch):
    """Memory and checkpoints of a run that goes on for weeks would grow all the time."""
    monkeypatch.setattr("pathnet_evo.interfaces.evolution_record.LOGGED", 5)
    strategy = STRATEGIES["aging"](PathShape(3, 10, 3), random.Random(0), population=2)
    for number in range(40):
        (candidate,) = strategy.ask(1)
        strategy.tell(Evaluation(candidate, float(number)))
    last = strategy.generation - 1
    assert last > 5
    assert [entry["gen"] for entry in strategy.logbook] == list(range(last - 4, last + 1))
    assert len(str(strategy.logbook).splitlines()) == 6


@pytest.mark.parametrize("name", [n for n in STRATEGIES if n not in ("fixed-path", "racing")])
def test_starting_with_mutants_starts_with_one_path(name: str):
    """``start = "mutants"`` would be a random start."""
    shape = PathShape(3, 10, 3)
    strategy = STRATEGIES[name](shape, random.Random(0), population=64, start="mutants")
    first, *others = [list(genotype) for genotype in strategy.population]
    assert first == shape.full_width()
    changed = Counter(
        sum(a != b for x, y in zip(first, other, strict=True) for a, b in zip(x, y, strict=True))
        for other in others
    )
    assert max(changed) <= 5
    assert changed[0] < len(others)


@pytest.mark.parametrize("name", ["binary-tournament", "elitist-tournament"])
def test_contestants_share_their_minibatches_where_asked_to(name: str):
    """A tournament would be decided by the luck of the data although ``same_batches`` is set."""
    strategy = STRATEGIES[name](
        PathShape(2, 6, 2), random.Random(0), population=8, same_batches=True
    )
    asked = strategy.ask(8)
    assert [candidate.batches for candidate in asked] == [0, 0, 1, 1, 2, 2, 3, 3]
    for candidate in asked:
        strategy.tell(Evaluation(candidate, float(candidate.slot)))
    replaced = strategy.take_replacements()
    pairs = {frozenset(c.slot for c in asked if c.batches == key) for key in range(4)}
    assert {frozenset((r.winner, r.loser)) for r in replaced} == pairs


def test_one_path_never_shares_minibatches():
    """A control would learn everything twice, and its fitness rise every second time."""
    fixed = STRATEGIES["fixed-path"](
        PathShape(2, 6, 2), random.Random(0), population=4, same_batches=True
    )
    assert [candidate.batches for candidate in fixed.ask(4)] == [0, 1, 2, 3]


def test_a_race_shares_minibatches_until_it_is_over():
    """The race would be decided by the luck of the data, or its winner learn everything twice."""
    starts = [Start(((m, m + 1),) * 2) for m in (0, 2)]
    for laid_out in (starts, starts[:1]):
        racing = STRATEGIES["racing"](
            PathShape(2, 6, 2), random.Random(0), starts=laid_out, same_batches=True, population=2,
            budget=Budget(evaluations=40),
        )  # fmt: skip
        keys: dict[bool, list[int]] = {True: [], False: []}
        for number in range(40):
            racing.budget.used = number
            (candidate,) = racing.ask(1)
            keys[len(racing.saved.race) > 1].append(candidate.batches)
            racing.tell(Evaluation(candidate, 1.0 - candidate.slot))
        assert len(keys[True]) == (4 if len(laid_out) == 2 else 0)
        assert keys[True] == [0, 0, 1, 1][: len(keys[True])]
        assert len(set(keys[False])) == len(keys[False])
