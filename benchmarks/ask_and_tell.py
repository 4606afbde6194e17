"""What ``ask`` and ``tell`` cost an evaluation at a population of 10,000, for every strategy.

Over so many evaluations that every strategy is past its first population and a brood of children.
``diversity`` is what the lineage adds: it is measured once for a quarter of the population.
"""

from __future__ import annotations

import random
import time

from pathnet_evo.core.genotype import PathShape, distinct
from pathnet_evo.core.streams import borrow
from pathnet_evo.interfaces.evaluations import Evaluation
from pathnet_evo.interfaces.strategies import Strategy
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.trial.diversity import diversity

POPULATION = 10_000
EVALUATIONS = 3 * POPULATION
GOAL = 1.0
"""Milliseconds."""
SHAPE = PathShape(layers=3, modules=20, width=5)


def cost(strategy: Strategy, in_flight: int) -> float:
    """Milliseconds an evaluation, with so many candidates in flight."""
    fitness = random.Random(1)
    flying = []
    start = time.perf_counter()
    for _ in range(EVALUATIONS):
        flying += strategy.ask(in_flight - len(flying))
        candidate = flying.pop(fitness.randrange(len(flying)))
        strategy.tell(Evaluation(candidate, fitness.random()))
    return 1e3 * (time.perf_counter() - start) / EVALUATIONS


def cost_of_diversity() -> float:
    """Milliseconds an evaluation."""
    paths = [distinct(SHAPE.random()) for _ in range(POPULATION)]
    start = time.perf_counter()
    diversity(paths, SHAPE.counts, ((),) * SHAPE.layers)
    return 1e3 * (time.perf_counter() - start) / (POPULATION / 4)


def main() -> None:
    """Measure every strategy that is registered."""
    registry = Registry()
    print(f"P = {POPULATION:,}, {EVALUATIONS:,} evaluations: ms an evaluation")
    for name in registry.names("strategies"):
        made = registry.get("strategies", name)
        with borrow():
            costs = [cost(made(SHAPE, random.Random(0), population=POPULATION), n) for n in (1, 64)]
        goal = "" if name == "nsga2" else f"   goal < {GOAL:g}"
        print(f"  {name:<24} {costs[0]:7.3f}, 64 in flight {costs[1]:7.3f}{goal}")
    print(f"  {'diversity':<24} {cost_of_diversity():7.3f}")


if __name__ == "__main__":
    main()
