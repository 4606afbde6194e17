"""One stage of one trial at work; it can stop between two rounds and resume later."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pathnet_evo.core.genotype import Path, distinct
from pathnet_evo.core.streams import seed_globals
from pathnet_evo.interfaces.engines import Engine
from pathnet_evo.interfaces.evaluations import Episode, Evaluation, Evaluator
from pathnet_evo.interfaces.fingerprint import Fingerprint
from pathnet_evo.interfaces.learners import LearningContext
from pathnet_evo.interfaces.records import (
    Copied,
    Emit,
    EpisodesFinished,
    Evaluated,
    GenerationFinished,
    StageResumed,
    StageStarted,
)
from pathnet_evo.interfaces.strategies import Strategy
from pathnet_evo.setup.plan import Stage
from pathnet_evo.trial.diversity import diversity
from pathnet_evo.trial.duplication import Duplication
from pathnet_evo.trial.inheritance import Inheritance
from pathnet_evo.trial.loop import evolve
from pathnet_evo.values.numbers import named, whole


@dataclass
class StageProgress:
    """Turns a stage's evaluations into records, generation by generation."""

    trial: int
    stage: int
    strategy: Strategy
    emit: Emit
    frozen: Path = ()
    duplication: Duplication | None = None
    inheritance: Inheritance | None = None
    examples: int = 0
    episodes: int = 0
    best: float = -math.inf
    fitnesses: list[float] = field(default_factory=list)
    measured: int | None = None
    usage: dict[str, float] = field(default_factory=dict)

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """Emit an evaluation after the strategy received it."""
        number, size = self.strategy.told - 1, self.strategy.generation_size
        self.examples += evaluation.examples
        if evaluation.fitness is not None:
            self.fitnesses.append(evaluation.fitness)
            self.best = max(evaluation.fitness, self.best)
        replacements = tuple(self.strategy.take_replacements())
        over = self.strategy.told % size == 0
        copied: tuple[Copied, ...] = ()
        if self.inheritance is not None:
            copied = self.inheritance.replaced(replacements)
        if self.duplication is not None:
            self.duplication.on_evaluation(evaluation)
            copied += self.duplication.generation() if over else ()
        place = (self.trial, self.stage, number, number // size)
        self.emit(Evaluated(*place, evaluation, replacements, copied))
        if over:
            finite = self.fitnesses
            self.emit(
                GenerationFinished(
                    self.trial,
                    self.stage,
                    number // size,
                    self.strategy.told,
                    max(finite, default=None),
                    sum(finite) / len(finite) if finite else None,
                    self._diversity(),
                )
            )
            self.fitnesses = []

    def on_episodes(self, episodes: list[Episode]) -> None:
        """Pass episodes on."""
        used = episodes[-1].at
        self.emit(EpisodesFinished(self.trial, self.stage, self.episodes, used, tuple(episodes)))
        self.episodes += len(episodes)

    def state(self) -> dict[str, Any]:
        """Plain data from which ``restore`` resumes identically."""
        return {
            "examples": self.examples,
            "episodes": self.episodes,
            "best": None if self.best == -math.inf else self.best,
            "fitnesses": list(self.fitnesses),
            "measured": self.measured,
            "duplication": self.duplication and self.duplication.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from ``state``."""
        self.examples, self.episodes = state["examples"], state["episodes"]
        self.best = -math.inf if state["best"] is None else state["best"]
        self.fitnesses, self.measured = list(state["fitnesses"]), state["measured"]
        if self.duplication is not None and state.get("duplication") is not None:
            self.duplication.restore(state["duplication"])

    def _diversity(self) -> dict[str, float]:
        """The population's diversity, measured only once a quarter of it may have changed."""
        told, places = self.strategy.told, len(self.strategy.members)
        if self.measured is not None and 4 * (told - self.measured) < places:
            return {}
        self.measured = told
        paths = [distinct(genotype) for genotype in self.strategy.population]
        frozen = self.frozen or ((),) * self.strategy.shape.layers
        return diversity(paths, self.strategy.shape.counts, frozen)


class StageRun:
    """A stage at work.

    Args:
        stage: what is learned, and its budget.
        engine: where evaluations run.
        strategy: who evolves.
        context: what the learner works on.
        started: what the lineage knows of the stage's beginning.
        fingerprint: of the task.
        emit: hears of everything that happens.
        duplication: copies useful modules, or None.

    Attributes:
        progress: what came of it so far.
        rounds: how many rounds of evolution are over.
    """

    def __init__(
        self,
        stage: Stage,
        engine: Engine,
        strategy: Strategy,
        context: LearningContext,
        started: StageStarted,
        fingerprint: Fingerprint,
        emit: Emit,
        duplication: Duplication | None = None,
    ) -> None:
        self.stage, self.engine, self.strategy, self.context = stage, engine, strategy, context
        self.started, self.fingerprint, self.emit = started, fingerprint, emit
        self.progress = StageProgress(
            started.trial,
            started.stage,
            strategy,
            emit,
            context.pool.frozen_path(),
            duplication,
            Inheritance(context.pool, context.head, strategy)
            if strategy.settings.inherit
            else None,
        )
        self.rounds = 0
        self._evaluator: Evaluator | None = None
        self._in_flight: dict[str, Any] | None = None
        self._before, self._since = 0.0, time.perf_counter()

    @property
    def seconds(self) -> float:
        """Time spent on the stage, over all sessions."""
        return self._before + time.perf_counter() - self._since

    def run(
        self,
        stop: Callable[[], bool],
        between: Callable[[bool], None],
        ends: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Evolve until the budget is used up, the threshold is reached, or ``stop`` returns true.

        Each round begins with the global generators at the start of a stream of its own; call it
        within ``streams.borrow``.

        Args:
            stop: asked between rounds.
            between: called between rounds, when the state can be taken, but for a stage that is
                over; with true when told to stop.
            ends: asked between rounds; true ends the stage early, once a path has a fitness.

        Returns:
            Whether the stage is over.

        Raises:
            StageFailed: evaluations failed one after another.
        """
        streams, stopped = self.context.streams, False
        seed_globals(streams, "evaluator")
        self._evaluator = self.engine.evaluator(self.stage.learner, self.context)

        def over() -> bool:
            nonlocal stopped
            stopped, reached = stop(), self._reached() or self._ends_early(ends)
            if stopped or not reached:
                between(stopped)
            if stopped or reached:
                return True
            seed_globals(streams, "round", self.rounds)
            self.rounds += 1
            return False

        try:
            if self._in_flight is not None:
                self._evaluator.restore(self._in_flight)
            evolve(
                self.strategy, self._evaluator, over, self._on_evaluation, self.progress.on_episodes
            )
            if self._evaluator.used is not None:
                self.progress.examples = whole(self._evaluator.used)
            self.progress.usage = named(self._evaluator.usage())
        finally:
            self._evaluator.close()
            self._evaluator = None
        return not stopped

    def state(self) -> dict[str, Any]:
        """The state from which ``restore`` resumes identically, given the current pool.

        JSON data in which any value can be a tensor.
        """
        return {
            "stage": self.started.stage,
            "rounds": self.rounds,
            "chance": self.started.random_baseline,
            "progress": self.progress.state(),
            "strategy": self.strategy.state(),
            "evaluator": self._evaluator.state() if self._evaluator else self._in_flight or {},
            "head": self.context.head.state(),
            "starts": [start.state() for start in self.strategy.starts],
        }

    def restore(self, state: dict[str, Any], seconds: float = 0.0) -> None:
        """Resume from ``state``, with the pool of that time."""
        self.rounds = state["rounds"]
        self.strategy.restore(state["strategy"])
        self.progress.restore(state["progress"])
        self.context.head.restore(state["head"])
        self._in_flight = state["evaluator"]
        self._before, self._since = seconds, time.perf_counter()
        self._count()
        self.emit(StageResumed(self.started, self.strategy.told, self.progress.examples))

    def _on_evaluation(self, evaluation: Evaluation) -> None:
        self.progress.on_evaluation(evaluation)
        self._count()

    def _count(self) -> None:
        """Update how much of the budget is used."""
        budget = self.context.budget
        budget.used = self.strategy.told if budget.evaluations else self.progress.examples

    def _ends_early(self, ends: Callable[[], bool]) -> bool:
        return ends() and self.strategy.best() is not None

    def _reached(self) -> bool:
        """Whether the threshold is reached or the budget used up."""
        stage = self.stage
        if stage.threshold is not None and self.progress.best >= stage.threshold:
            return True
        if stage.frames is None:
            assert stage.evaluations is not None
            return self.strategy.told >= stage.evaluations
        used = self._evaluator.used if self._evaluator else None
        return (self.progress.examples if used is None else used) >= stage.frames
