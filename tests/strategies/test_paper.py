"""Both of the paper's tournaments against plain simulations of its text.

The simulations share with the strategies the order of their random draws, and nothing else.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from pathnet_evo.core.genotype import PathShape
from pathnet_evo.interfaces.evaluations import Evaluation
from pathnet_evo.strategies.asynchronous_tournament import AsynchronousTournament
from pathnet_evo.strategies.binary_tournament import BinaryTournament
from pathnet_evo.strategies.elitist_tournament import ElitistTournament

L, M, N, P = 3, 10, 3, 12


def random_genotype(rng: random.Random) -> list[list[int]]:
    return [[rng.randrange(M) for _ in range(N)] for _ in range(L)]


def mutated(genotype: list[list[int]], rng: random.Random) -> list[list[int]]:
    """Each element with probability 1 / (N L) gets an integer from [-2, 2] added, clamped."""
    child = []
    for row in genotype:
        child.append([])
        for gene in row:
            if rng.random() < 1 / (N * L):
                gene = min(max(gene + rng.randint(-2, 2), 0), M - 1)
            child[-1].append(gene)
    return child


def fitness_of(genotype: Any, number: int) -> float | None:
    """Some fitness that changes as the weights do; now and then none."""
    score = sum(gene * gene for row in genotype for gene in row) % 17
    return None if (score + number) % 11 == 0 else score + (number % 3)


@pytest.mark.parametrize("seed", range(5))
def test_binary_tournament_is_the_papers(seed: int):
    """The serial evolution would not be the one of section 2.2."""
    strategy = BinaryTournament(PathShape(L, M, N), random.Random(seed), population=P)
    rng = random.Random(seed)
    population = [random_genotype(rng) for _ in range(P)]
    for generation in range(200):
        assert [list(g) for g in strategy.population] == population
        pair = rng.sample(range(P), 2)
        fitness = {}
        for i, slot in enumerate(pair):
            (candidate,) = strategy.ask(1)
            assert candidate.slot == slot
            assert [list(row) for row in candidate.genotype] == population[slot]
            fitness[slot] = fitness_of(population[slot], 2 * generation + i)
            strategy.tell(Evaluation(candidate, fitness[slot]))
        a, b = pair
        if fitness[a] is None and fitness[b] is None:
            continue
        if fitness[b] is None or (fitness[a] is not None and fitness[a] >= fitness[b]):
            population[b] = mutated(population[a], rng)
        else:
            population[a] = mutated(population[b], rng)


@pytest.mark.parametrize("rivals", [1, 2, 5, P - 1])
@pytest.mark.parametrize("lanes", [1, 4, P])
def test_asynchronous_tournament_is_the_papers(rivals: int, lanes: int):
    """The parallel evolution would not be the one of section 2.3."""
    strategy = AsynchronousTournament(
        PathShape(L, M, N), random.Random(1), population=P, tournament=rivals
    )
    rng, finishing = random.Random(1), random.Random(2)
    population = [random_genotype(rng) for _ in range(P)]
    published: list[float | None] = [None] * P
    flight = []
    for number in range(300):
        flight += strategy.ask(lanes - len(flight))
        candidate = flight.pop(finishing.randrange(len(flight)))
        own = candidate.slot
        assert [list(row) for row in candidate.genotype] == population[own]
        fitness = fitness_of(population[own], number)
        strategy.tell(Evaluation(candidate, fitness))
        published[own] = fitness
        if fitness is None:
            population[own] = random_genotype(rng)
        else:
            others = rng.sample([slot for slot in range(P) if slot != own], rivals)
            known = [other for other in others if published[other] is not None]
            best = max(known, key=lambda other: published[other] or 0.0, default=None)
            if best is not None and (published[best] or 0.0) >= fitness:
                population[own] = mutated(population[best], rng)
                published[own] = None
        assert [list(g) for g in strategy.population] == population
        values = [g.fitness.values for g in strategy.population]
        assert values == [() if f is None else (f,) for f in published]


def test_the_winner_of_an_elitist_tournament_meets_the_next():
    """The elitist tournament would be the binary one under another name."""
    strategy = ElitistTournament(PathShape(L, M, N), random.Random(0), population=P)
    champion, firsts = None, 0
    for number in range(100):
        pair = [strategy.ask(1)[0]]
        strategy.tell(Evaluation(pair[0], fitness_of(pair[0].genotype, number)))
        pair += strategy.ask(1)
        strategy.tell(Evaluation(pair[1], fitness_of(pair[1].genotype, number + 1)))
        slots = [candidate.slot for candidate in pair]
        assert champion is None or champion in slots
        firsts += champion == slots[0]
        replaced = strategy.take_replacements()
        champion = replaced[0].winner if replaced else None
    assert 25 < firsts < 75, "the champion must be first about as often as second"
