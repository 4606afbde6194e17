"""Worker processes that train the candidates of one trial at the same time, as an engine."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field, PrivateAttr

from pathnet_evo.engines.base import Engine
from pathnet_evo.engines.crew import Crew
from pathnet_evo.engines.evaluator import SideBySideEvaluator
from pathnet_evo.interfaces.learners import Learner, LearningContext


@dataclass(eq=False)
class _Kept:
    """The workers that wait for a next stage; equal settings are equal whatever they keep."""

    crew: Crew | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Kept)

    __hash__ = None  # type: ignore[assignment]


class SideBySide(Engine):
    """Worker processes that train candidates at the same time.

    With more than one, evaluations come back in the order in which they happen to end, so equal
    seeds do not give equal results.
    """

    workers: int = Field(2, ge=1)
    """Number of worker processes."""
    limit: float = Field(600, gt=0, allow_inf_nan=False)
    """Seconds that an evaluation may take; after them its worker is taken to hang."""
    start_limit: float = Field(600, gt=0, allow_inf_nan=False)
    """Seconds that a worker may take to start, import what it needs, and take up a stage."""
    restarts: int = Field(10, ge=0)
    """How often, in one stage, a worker that died or hung is replaced by a new one."""

    _kept: _Kept = PrivateAttr(default_factory=_Kept)

    @property
    def deterministic(self) -> bool:
        """Whether there is but one worker."""
        return self.workers == 1

    @property
    def processes(self) -> int:
        """The workers."""
        return self.workers

    def evaluator(self, learner: Learner, context: LearningContext) -> SideBySideEvaluator:
        """An evaluator with as many places as its workers' evaluators have together."""
        crew, self._kept.crew = self._kept.crew or Crew(self.workers), None
        return SideBySideEvaluator(self, crew, learner, context)

    def keep(self, crew: Crew) -> None:
        """Take back the workers of an evaluator that is closed, for the next stage."""
        if self._kept.crew is None and len(crew.hands) == self.workers:
            self._kept.crew = crew
        else:
            crew.close()

    def close(self) -> None:
        """End the workers."""
        crew, self._kept.crew = self._kept.crew, None
        if crew is not None:
            crew.close()
