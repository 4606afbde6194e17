"""The engine that has no processes of its own."""

from __future__ import annotations

from typing import ClassVar

from pathnet_evo.engines.contained import Contained
from pathnet_evo.interfaces.engines import Engine
from pathnet_evo.interfaces.evaluations import Evaluator, StageFailed
from pathnet_evo.interfaces.learners import Learner, LearningContext
from pathnet_evo.interfaces.tasks import TaskError
from pathnet_evo.system.plugin_calls import calling


class InlineEngine(Engine):
    """The learner's own evaluator, in the process of the trial."""

    shares_pool: ClassVar[bool] = True

    def evaluator(self, learner: Learner, context: LearningContext) -> Evaluator:
        """The learner's evaluator, contained."""
        with calling("evaluator", StageFailed, TaskError):
            return Contained(learner.evaluator(context))
