"""A strategy evolves on made-up fitnesses before a run begins: do its operators work?"""

from __future__ import annotations

import random

from pathnet_evo.core.genotype import PathShape
from pathnet_evo.interfaces.budget import Budget
from pathnet_evo.interfaces.evaluations import Evaluation
from pathnet_evo.interfaces.population import StrategyError
from pathnet_evo.interfaces.strategies import Strategy
from pathnet_evo.interfaces.strategy_settings import StrategySettings
from pathnet_evo.system.plugin_calls import calling

GENERATIONS = 3
"""The first has no parents, and the last is bred from children."""
MOST = 1000
"""Evaluations; larger populations are tried on fewer generations."""


def evolve_on_nothing(
    strategy: type[Strategy], settings: StrategySettings, shape: PathShape
) -> None:
    """Play a short stage without any training.

    Args:
        strategy: who evolves.
        settings: its options.
        shape: the space of paths.

    Raises:
        StrategyError, PluginFailed: an operator, or another part of the strategy, fails.
    """
    fitnesses = random.Random(0)
    budget = Budget(evaluations=min(GENERATIONS * settings.generation_size, MOST))
    with calling("strategy", StrategyError):
        made = strategy(shape, random.Random(0), settings, budget=budget)
        while budget.used < budget.total and (candidates := list(made.ask(len(made.members)))):
            for candidate in candidates:
                made.tell(Evaluation(candidate, fitnesses.random()))
                budget.used += 1
