"""What an engine is: where the evaluations of a stage run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from pathnet_evo.interfaces.learners import Evaluator, Learner, LearningContext


class Engine(BaseModel, ABC):
    """An engine plugin: its fields are its configuration (``[engine]``).

    An engine is an evaluator made of evaluators. Strategies cannot tell it from a learner's own:
    what is submitted comes back once, in any order, and what is cancelled leaves no trace.

    Attributes:
        shares_pool: whether evaluators have the pool itself, so that learners may train it in
            place; else they have leases of it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    shares_pool: ClassVar[bool] = False

    @abstractmethod
    def evaluator(self, learner: Learner, context: LearningContext) -> Evaluator:
        """Something that trains candidates on the context's pool, perhaps several at once."""

    @property
    def deterministic(self) -> bool:
        """Whether equal seeds give equal results, bit for bit."""
        return True

    @property
    def processes(self) -> int:
        """How many processes of this machine a trial has beside its own."""
        return 0

    def close(self) -> None:
        """End what is kept from one stage to the next; may be called twice."""
