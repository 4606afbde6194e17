"""The evolution loop, for every strategy and learner."""

from __future__ import annotations

from collections.abc import Callable

from pathnet_evo.interfaces.evaluations import Episode, Evaluation, Evaluator, StageFailed
from pathnet_evo.interfaces.population import StrategyError
from pathnet_evo.interfaces.strategies import Strategy
from pathnet_evo.system.plugin_calls import calling


def evolve(
    strategy: Strategy,
    evaluator: Evaluator,
    stop: Callable[[], bool],
    on_evaluation: Callable[[Evaluation], None] = lambda evaluation: None,
    on_episodes: Callable[[list[Episode]], None] = lambda episodes: None,
) -> None:
    """Run a strategy with an evaluator until ``stop`` returns true.

    A round lasts until the evaluator has done something, however long workers take, so that one
    worker alone repeats bit for bit.

    Args:
        strategy: proposes candidates, receives evaluations.
        evaluator: trains candidates.
        stop: asked before each round.
        on_evaluation: called with every evaluation after the strategy was told.
        on_episodes: called with the episodes that ended, if any, after each round.

    Raises:
        StageFailed: as many evaluations failed in a row as the population has slots.
    """
    try:
        while not stop():
            with calling("ask", StrategyError):
                candidates = list(strategy.ask(evaluator.free))
            for candidate in candidates:
                evaluator.submit(candidate)
            evaluations = evaluator.advance()
            while evaluator.waiting:
                evaluations = evaluator.advance()
            if episodes := evaluator.take_episodes():
                on_episodes(episodes)
            for evaluation in map(Evaluation.checked, evaluations):
                with calling("tell", StrategyError):
                    strategy.tell(evaluation)
                on_evaluation(evaluation)
                if strategy.failures >= len(strategy.members):
                    raise StageFailed(
                        f"{strategy.failures} evaluations failed in a row, the last with: "
                        f"{evaluation.cause}"
                    )
    finally:
        evaluator.cancel()
