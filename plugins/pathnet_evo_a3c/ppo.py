"""The PPO learner: the environments, paths and pool of A3C, with another update."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from pydantic import Field

from pathnet_evo import EnvironmentTask, LearningContext, TaskError
from pathnet_evo_a3c.evaluator import A3CEvaluator
from pathnet_evo_a3c.learner import A3C
from pathnet_evo_a3c.rollout import Rollout
from pathnet_evo_a3c.settings import Update


class PPO(A3C):
    """Proximal policy optimisation on K environments, each with its own path.

    A rollout is learned from several times, in minibatches of its steps, as long as the policy
    stays near the one that played (Schulman et al. 2017). The optimizer is RMSProp, as for A3C.
    """

    keeps_observations: ClassVar[bool] = True
    own_workers: ClassVar[bool] = False

    rollout_length: int = Field(32, ge=1)
    """Steps per environment between updates."""
    epochs: int = Field(4, ge=1)
    """Times that each step of a rollout is learned from."""
    n_batches: int = Field(4, ge=1)
    """Minibatches per epoch, at most; each has some steps of every environment."""
    clip_range: float = Field(0.2, gt=0, lt=1)
    """How far an action's probability may move, relative to what it was, and still gain by it."""
    gae_lambda: float = Field(0.95, ge=0, le=1)
    """Generalised advantage estimation: 1 uses the whole rollout, 0 one step."""
    normalise_advantages: bool = True
    """Give the advantages of a rollout mean 0 and deviation 1, over all environments."""
    learning_rate: float = Field(5e-4, gt=0, allow_inf_nan=False)
    """Learning rate."""

    def check(self, task: EnvironmentTask) -> None:
        """Refuse workers that would send gradients, and more than there is memory for.

        Raises:
            TaskError: either.
        """
        if self.max_staleness is not None:
            raise TaskError(
                "ppo updates the pool several times a rollout, so its workers share its memory: "
                "use a3c, or leave max_staleness out"
            )
        super().check(task)

    def in_process(
        self,
        context: LearningContext[EnvironmentTask],
        elsewhere: Callable[[], int] = lambda: 0,
        update: Update | None = None,
    ) -> PPOEvaluator:
        """An evaluator of one process, which may be one of several workers; see its arguments."""
        return PPOEvaluator(self, context, elsewhere, update)


class PPOEvaluator(A3CEvaluator):
    """Learns from each rollout for several epochs."""

    learner: PPO

    def _learn(self, rollouts: Sequence[Rollout]) -> None:
        learner = self.learner
        for _ in range(learner.epochs):
            order = torch.randperm(learner.rollout_length, generator=self.exploration)
            for steps in order.chunk(learner.n_batches):
                self._threads.map(
                    lambda group, rollout, steps=steps: group.learn_again(
                        rollout, self._paths, steps, learner.clip_range
                    ),
                    self.groups,
                    rollouts,
                )
                self._train(rollouts)
