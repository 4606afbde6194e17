"""The options of strategies: what they do, and what is said of those that cannot be."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from pydantic import ValidationError

from pathnet_evo.core.genotype import PathShape, distinct, n_modules, overlap
from pathnet_evo.interfaces.evaluations import Evaluation
from pathnet_evo.setup.problems import problems
from pathnet_evo.strategies.aging import Aging, AgingSettings
from pathnet_evo.strategies.asynchronous_tournament import (
    AsynchronousTournament,
    AsynchronousTournamentSettings,
)
from pathnet_evo.strategies.binary_tournament import BinaryTournament, BinaryTournamentSettings
from pathnet_evo.strategies.mu_plus_lambda import MuPlusLambda, MuPlusLambdaSettings
from pathnet_evo.strategies.nsga2 import NSGA2, NSGA2Settings
from pathnet_evo.strategies.sizes import size_at

SHAPE = PathShape(3, 10, 3)


@pytest.mark.parametrize(
    ("model", "options", "place", "message"),
    [
        (AsynchronousTournamentSettings, {"population": 8, "tournament": 8}, "", "which has 7"),
        (AsynchronousTournamentSettings, {"tournament": [[0, 2], [9, 64]]}, "", "which has 63"),
        (AsynchronousTournamentSettings, {"population": 1}, ".population", "than or equal to 2"),
        (AsynchronousTournamentSettings, {"tournament": 0}, ".tournament", "ascend from"),
        (AsynchronousTournamentSettings, {"tournament": 2.5}, ".tournament", "ascend from"),
        (AsynchronousTournamentSettings, {"tournament": True}, ".tournament", "ascend from"),
        (AsynchronousTournamentSettings, {"tournament": []}, ".tournament", "ascend from"),
        (AsynchronousTournamentSettings, {"tournament": [[1, 2]]}, ".tournament", "ascend from"),
        (AsynchronousTournamentSettings, {"tournament": [[0, 2, 3]]}, ".tournament", "ascend"),
        (AgingSettings, {"sample": [[0, 2], [5, 3], [5, 4]]}, ".sample", "ascend from"),
        (AgingSettings, {"population": 8, "sample": 9}, "", "population of 8"),
        (BinaryTournamentSettings, {"population": 1}, ".population", "than or equal to 2"),
        (BinaryTournamentSettings, {"mutation_rate": 1.5}, ".mutation_rate", "equal to 1"),
        (MuPlusLambdaSettings, {"cxpb": -0.1}, ".cxpb", "equal to 0"),
        (MuPlusLambdaSettings, {"cxpb": 0.7, "mutpb": 0.7}, "", "must be at most 1"),
        (MuPlusLambdaSettings, {"offspring": 0}, ".offspring", "equal to 1"),
        (NSGA2Settings, {"population": 10}, ".population", "multiple of 4, since"),
        (NSGA2Settings, {"mutpb": 2}, ".mutpb", "equal to 1"),
        (NSGA2Settings, {"freeze": "bend"}, ".freeze", "'fittest' or 'knee'"),
        (NSGA2Settings, {"start": "full"}, ".start", "'random' or 'mutants'"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(
    model: Any, options: dict[str, Any], place: str, message: str
):
    """A run would start that cannot go on, or its user be told in pydantic's words."""
    with pytest.raises(ValidationError) as raised:
        model.model_validate(options)
    (problem,) = problems(raised.value, model, "strategy")
    assert problem.place == f"strategy{place}"
    assert message in problem.text


def test_a_schedule_holds_until_the_next():
    """The pressure of selection would change at another generation than configured."""
    settings = AsynchronousTournamentSettings(tournament=[[0, 2], [5, 7], [9, 3]])  # type: ignore[arg-type]
    assert [size_at(settings.rivals, g) for g in (0, 4, 5, 8, 9, 500)] == [2, 2, 7, 7, 3, 3]
    assert AsynchronousTournamentSettings().rivals == ((0, 20),)
    assert AsynchronousTournamentSettings(population=5).rivals == ((0, 4),)
    dumped = settings.model_dump(mode="json", exclude_none=True)
    assert AsynchronousTournamentSettings.model_validate(dumped) == settings


@pytest.mark.parametrize("schedule", [[[0, 1], [10, 7]], [[0, 7], [10, 1]]])
def test_a_larger_tournament_presses_harder(schedule: Any):
    """The schedule would be accepted and ignored."""
    strategy = AsynchronousTournament(
        SHAPE, random.Random(0), population=8, tournament=schedule, mutation_rate=0
    )
    replaced = [0, 0]
    noise = random.Random(1)
    for number in range(160):
        (candidate,) = strategy.ask(1)
        strategy.tell(Evaluation(candidate, noise.random()))
        replaced[number // 80] += len(strategy.take_replacements())
    few, many = replaced if schedule[0][1] == 1 else reversed(replaced)
    assert many > 1.3 * few


def test_the_oldest_dies():
    """Aging would be elitism: a lucky evaluation could stay forever."""
    strategy = Aging(SHAPE, random.Random(0), population=6, sample=3)
    for number in range(60):
        (candidate,) = strategy.ask(1)
        born = [member.candidate for member in strategy.members]
        strategy.tell(Evaluation(candidate, 100.0 if number == 2 else number % 5))
        after = [member.candidate for member in strategy.members]
        if number >= 6:
            assert born[candidate.slot] == number - 6, "the oldest is overwritten"
            (replacement,) = strategy.take_replacements()
            assert (replacement.loser, replacement.parent) == (candidate.slot, candidate.parent)
        assert after[candidate.slot] == candidate.id


def test_the_best_of_parents_and_offspring_survive():
    """A child worse than all parents would replace one, or a parent be lost to a worse child."""
    strategy = MuPlusLambda(SHAPE, random.Random(0), population=6, offspring=10)
    assert strategy.generation_size == 10
    noise = random.Random(1)
    told: list[float | None] = []
    for generation in range(8):
        for _ in range(10 if generation else 6):
            (candidate,) = strategy.ask(1)
            fitness = None if generation and noise.random() < 0.3 else noise.random()
            told.append(fitness)
            strategy.tell(Evaluation(candidate, fitness))
        best = sorted((f for f in told if f is not None), reverse=True)[:6]
        assert sorted((g.fitness.values[0] for g in strategy.population), reverse=True) == best


@pytest.mark.parametrize("name", ["mu-plus-lambda", "aging", "nsga2", "binary-tournament"])
def test_replacements_can_be_replayed(name: str):
    """The report's picture of the population would drift from the population."""
    cls: Any = {
        "mu-plus-lambda": MuPlusLambda,
        "aging": Aging,
        "nsga2": NSGA2,
        "binary-tournament": BinaryTournament,
    }[name]
    strategy = cls(SHAPE, random.Random(0), population=8)
    replayed = [[list(row) for row in g] for g in strategy.population]
    flight: list[Any] = []
    order = random.Random(3)
    for _ in range(200):
        flight += strategy.ask(4 - len(flight))
        candidate = flight.pop(order.randrange(len(flight)))
        strategy.tell(Evaluation(candidate, order.random()))
        for r in strategy.take_replacements():
            replayed[r.loser] = [list(row) for row in r.origin or replayed[r.winner]]
            for layer, gene, before, after in r.changes:
                assert replayed[r.loser][layer][gene] == before
                replayed[r.loser][layer][gene] = after
        assert replayed == [list(g) for g in strategy.population]


@pytest.mark.parametrize("strategy", [MuPlusLambda, NSGA2, Aging])
def test_changes_are_those_from_the_parent(strategy: Any):
    """What a mutation changed would be taken from whatever came to the parent's slot meanwhile.

    The parent's genes are those that it was evaluated with.
    """
    evolved = strategy(SHAPE, random.Random(0), population=8)
    order, flight, known, gone = random.Random(1), [], {}, 0
    for _ in range(400):
        flight += evolved.ask(6 - len(flight))
        candidate = flight.pop(order.randrange(len(flight)))
        known[candidate.id] = candidate.genotype
        evolved.tell(Evaluation(candidate, candidate.id / 20 + order.random()))
        for r in evolved.take_replacements():
            made = [list(row) for row in known[r.parent]]
            assert r.origin in (None, known[r.parent])
            for layer, gene, before, after in r.changes:
                assert made[layer][gene] == before
                made[layer][gene] = after
            assert made == evolved.population[r.loser]
            gone += r.origin is not None
    assert gone > 10, "no parent was overwritten before its child had a slot"


@pytest.mark.parametrize("modules", ["trained", "active"])
def test_nsga2_spares_modules(modules: Any):
    """The second objective would have no effect, or count the wrong modules."""
    frozen = ((0, 1, 2), (0, 1, 2), (0, 1, 2))
    strategy = NSGA2(SHAPE, random.Random(0), population=16, frozen=frozen, modules=modules)

    def cost(genotype: Any) -> int:
        path = distinct(genotype)
        return n_modules(path) - (overlap(path, frozen) if modules == "trained" else 0)

    before = sum(map(cost, strategy.population))
    for _ in range(16 * 20):
        (candidate,) = strategy.ask(1)
        strategy.tell(Evaluation(candidate, float(candidate.genotype[0][0] == 9)))
    for genotype in strategy.population:
        assert genotype.fitness.values == (float(genotype[0][0] == 9), float(cost(genotype)))
    assert sum(map(cost, strategy.population)) < 0.8 * before
    front = strategy.front()
    assert front.objectives == ("fitness", f"{modules} modules")
    members = [g.fitness.values for g in strategy.population]
    for f, c in {values for _, values in front.members}:
        assert not any((f <= F and c >= C) and (f, c) != (F, C) for F, C in members)
    assert {values for _, values in front.members} <= set(members)


def test_nsga2_freezes_as_asked_to():
    """Another path of the front would be frozen than the configuration says."""
    rows = {
        1: [[0, 0], [0, 0]],
        2: [[0, 0], [0, 1]],
        3: [[0, 1], [0, 1]],
        4: [[1, 1], [1, 1]],
    }
    fitness = {1: 0.0, 2: 0.9, 3: 1.0, 4: -1.0}
    for freeze, expected in (("fittest", 3), ("knee", 2)):
        strategy = NSGA2(PathShape(2, 3, 2), random.Random(0), population=4, freeze=freeze)
        for member, genes in zip(strategy.members, rows.values(), strict=True):
            member.genotype[:] = [list(row) for row in genes]
        for candidate, number in zip(strategy.ask(4), rows, strict=True):
            strategy.tell(Evaluation(candidate, fitness[number]))
        assert strategy.best() == rows[expected]
        found = [[list(row) for row in g] for g, _ in strategy.front().members]
        assert found == [rows[3], rows[2], rows[1]]


@pytest.mark.slow
def test_places_of_a_tournament_are_drawn_alike():
    """Some genotypes would seldom compete, whatever their fitness."""
    for lanes in (1, 8, 20):
        strategy = BinaryTournament(SHAPE, random.Random(5), population=20)
        drawn: Counter[int] = Counter()
        flight: list[Any] = []
        for _ in range(4000):
            asked = strategy.ask(lanes - len(flight))
            flight += asked
            drawn.update(candidate.slot for candidate in asked)
            strategy.tell(Evaluation(flight.pop(0), 0.0))
        assert min(drawn.values()) > 150
        assert max(drawn.values()) < 250
