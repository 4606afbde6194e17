"""The A3C learner: actor-critics on evolving paths (Fernando et al. 2017, section 2.3)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from pathnet_evo import (
    EnvironmentTask,
    Evaluator,
    LearningContext,
    ModulePool,
    PathNetwork,
    Stack,
    Streams,
    TaskError,
)
from pathnet_evo_a3c import room
from pathnet_evo_a3c.playing import mean_return, observed, sample, uniform
from pathnet_evo_a3c.settings import A3CSettings


class A3C(A3CSettings):
    """Advantage actor-critic on K environments, each with its own path; fitness is the mean return.

    An environment plays T episodes with its candidate's path. Every ``rollout_length`` steps of all
    environments, each path's modules and the readout are updated in the pool (Mnih et al. 2016).
    """

    def outputs(self, task: EnvironmentTask) -> int:
        """One logit an action, and the value."""
        return task.n_actions + 1

    def readout(self, pool: ModulePool, task: EnvironmentTask, generator: torch.Generator) -> Stack:
        """A new one, scaled."""
        drawn = super().readout(pool, task, generator)
        for values in drawn.parameters.values():
            values.mul_(self.readout_scale)
        return drawn

    def check(self, task: EnvironmentTask) -> None:
        """Refuse more workers than there is memory for."""
        room.check(task, self.workers, self.num_envs, self.rollout_length)

    def inputs(self, task: EnvironmentTask, n: int, streams: Streams) -> Tensor:
        """Observations of uniformly random actions, prepared for the network."""
        seen = observed(task, n, streams)
        seen = seen.float() if task.shift is None else seen - task.shift
        return seen if task.scale is None else seen * task.scale

    def evaluator(self, context: LearningContext[EnvironmentTask]) -> Evaluator:
        """An evaluator with a slot for every environment of every worker."""
        from pathnet_evo_a3c.evaluator import A3CEvaluator
        from pathnet_evo_a3c.workers import Workers

        if self.workers > 1 or context.transport is not None:
            return Workers(self, context)
        return A3CEvaluator(self, context)

    def random_baseline(self, task: EnvironmentTask, streams: Streams) -> float:
        """Mean return of uniformly random actions."""
        generator = streams.torch("chance")

        def act(observations: Tensor) -> Tensor:
            return uniform(len(observations), task.n_actions, generator)

        return self._mean_return(task, act, streams)

    def score(
        self, network: PathNetwork, task: EnvironmentTask, streams: Streams
    ) -> dict[str, float]:
        """Mean return of the network's own actions, on episodes apart from training."""
        generator = streams.torch("score")

        def act(observations: Tensor) -> Tensor:
            return self.actions(network, observations, generator)

        return {"mean_return": self._mean_return(task, act, streams)}

    def _mean_return(
        self, task: EnvironmentTask, act: Callable[[Tensor], Tensor], streams: Streams
    ) -> float:
        return mean_return(
            task, self.score_episodes, self.num_envs, act, streams, self.max_restarts
        )

    @torch.inference_mode()
    def actions(
        self, network: PathNetwork, observations: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Drawn from the policy, or the most probable ones.

        Raises:
            TaskError: a logit is not finite, such as for an observation that is none.
        """
        device = next(network.parameters()).device
        logits = network(observations.to(device))[:, :-1]
        if not torch.isfinite(logits).all():
            raise TaskError("the network's outputs are not finite: no action can be chosen")
        return logits.argmax(1).cpu() if self.greedy else sample(logits, generator)
