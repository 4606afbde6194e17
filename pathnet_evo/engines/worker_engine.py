"""Engines whose workers train a trial's candidates in parallel, on any machine."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace

from pydantic import Field, PrivateAttr

from pathnet_evo.engines.contained import Contained
from pathnet_evo.engines.evaluator import SideBySideEvaluator
from pathnet_evo.engines.worker_pool import WorkerPool
from pathnet_evo.interfaces.engines import Engine
from pathnet_evo.interfaces.evaluations import Evaluator, StageFailed
from pathnet_evo.interfaces.learners import Learner, LearningContext
from pathnet_evo.interfaces.tasks import TaskError
from pathnet_evo.system.plugin_calls import calling
from pathnet_evo.workers.transport import Transport


@dataclass(eq=False)
class _Kept:
    """The workers that wait for a next stage; equal settings are equal whatever they keep."""

    pool: WorkerPool | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Kept)

    __hash__ = None  # type: ignore[assignment]


class WorkerEngine(Engine):
    """Workers that train candidates in parallel; a subclass provides the transport.

    With more than one worker, evaluations finish in arbitrary order, so equal seeds do not give
    equal results.
    """

    workers: int = Field(2, ge=1)
    """Number of workers."""
    timeout: float = Field(600, gt=0, allow_inf_nan=False)
    """Seconds per evaluation after which a worker counts as hung."""
    start_timeout: float = Field(600, gt=0, allow_inf_nan=False)
    """Seconds for a worker to start, import its modules, and set up a stage."""
    max_restarts: int = Field(10, ge=0)
    """Replacements per stage of workers that died or hung."""

    _kept: _Kept = PrivateAttr(default_factory=_Kept)

    @abstractmethod
    def transport(self) -> Transport:
        """The transport that starts workers and carries candidates and weights."""

    @property
    def deterministic(self) -> bool:
        """Whether there is only one worker."""
        return self.workers == 1

    def evaluator(self, learner: Learner, context: LearningContext) -> Evaluator:
        """An evaluator with as many slots as its workers' evaluators have together.

        A learner that trains the pool in place starts workers of its own on the transport.
        """
        if learner.in_place:
            with calling("evaluator", StageFailed, TaskError):
                there = replace(context, transport=self.transport())
                return Contained(learner.evaluator(there))
        pool, self._kept.pool = self._kept.pool, None
        pool = WorkerPool(self.transport(), self.workers) if pool is None else pool
        pool.timeout, pool.start_timeout = self.timeout, self.start_timeout
        pool.restarts = self.max_restarts
        return SideBySideEvaluator(pool, learner, context, self.keep)

    def keep(self, pool: WorkerPool) -> None:
        """Take back the workers of an evaluator that is closed, for the next stage."""
        if self._kept.pool is None and len(pool.members) == self.workers:
            self._kept.pool = pool
        else:
            pool.close()

    def close(self) -> None:
        """End the workers."""
        pool, self._kept.pool = self._kept.pool, None
        if pool is not None:
            pool.close()
