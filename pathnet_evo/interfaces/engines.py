"""What an engine is: where the evaluations of a stage run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from pydantic import BaseModel

from pathnet_evo.interfaces.evaluations import Evaluator
from pathnet_evo.interfaces.learners import Learner, LearningContext
from pathnet_evo.values.options import OPTIONS


class Engine(BaseModel, ABC):
    """An engine plugin: its fields are its configuration (``[engine]``).

    An engine builds an evaluator from evaluators. To strategies it looks like a learner's own:
    every candidate comes back once, in any order, and cancelled candidates leave no trace.

    Attributes:
        shares_pool: whether evaluators have the pool itself, so that learners can train it in
            place; otherwise they have leases.
        hosts_workers: whether learners that train the pool in place can have workers of their own
            where this engine's would be.
    """

    model_config = OPTIONS

    shares_pool: ClassVar[bool] = False
    hosts_workers: ClassVar[bool] = False

    @abstractmethod
    def evaluator(self, learner: Learner, context: LearningContext) -> Evaluator:
        """An evaluator that trains candidates on the context's pool, possibly in parallel."""

    def check(self) -> None:
        """Check before a run starts that evaluations can run.

        Raises:
            ExecutorError: they cannot, for example because a cluster is unreachable.
        """

    @property
    def deterministic(self) -> bool:
        """Whether equal seeds give equal results, bit for bit."""
        return True

    @property
    def processes(self) -> int:
        """Number of processes on this machine that a trial uses besides its own."""
        return 0

    def close(self) -> None:
        """Release what is kept between stages; may be called twice."""
