"""What an engine is: where the evaluations of a stage run."""

from __future__ import annotations

from abc import ABC, abstractmethod

from pydantic import BaseModel, ConfigDict

from pathnet_evo.learners import Evaluator, Learner, LearningContext


class Engine(BaseModel, ABC):
    """An engine plugin: its fields are its configuration (``[engine]``).

    An engine is an evaluator made of evaluators. Strategies cannot tell it from a learner's own:
    what is submitted comes back once, in any order, and what is cancelled leaves no trace.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @abstractmethod
    def evaluator(self, learner: Learner, context: LearningContext) -> Evaluator:
        """Something that trains candidates on the context's pool, perhaps several at once."""
