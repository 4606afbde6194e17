"""The A3C learner: actor-critics on evolving paths (Fernando et al. 2017, section 2.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from pathnet_evo import (
    Budget,
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
from pathnet_evo_a3c.playing import observed, returns
from pathnet_evo_a3c.policy import Categorical, Policy, policy_of
from pathnet_evo_a3c.settings import A3CSettings, Update

if TYPE_CHECKING:
    from pathnet_evo_a3c.evaluator import A3CEvaluator


class A3C(A3CSettings):
    """Advantage actor-critic on K environments, each with its own path; fitness is the mean return.

    An environment plays T episodes with its candidate's path. Every ``rollout_length`` steps of all
    environments, each path's modules and the readout are updated in the pool (Mnih et al. 2016).
    """

    def outputs(self, task: EnvironmentTask) -> int:
        """Those of the policy, such as one logit an action, and the value."""
        return policy_of(task).n_outputs + 1

    def readout(self, pool: ModulePool, task: EnvironmentTask, generator: torch.Generator) -> Stack:
        """A new one, scaled."""
        drawn = super().readout(pool, task, generator)
        if self.initial_readout == "orthogonal":
            _make_orthogonal(drawn, self.readout_scale, generator)
            return drawn
        for values in drawn.parameters.values():
            values.mul_(self.readout_scale)
        return drawn

    def check(self, task: EnvironmentTask) -> None:
        """Refuse more workers than there is memory for."""
        room.check(task, self.workers, self.num_envs, self.rollout_length)

    def check_budget(self, task: EnvironmentTask, budget: Budget) -> None:
        """Refuse evaluations that are longer than their stage."""
        needed, frames = self.evaluation_frames, budget.frames
        if needed is not None and frames is not None and needed > frames:
            raise TaskError(
                f"evaluation_frames is {needed:,}, but the stage has {frames:,} frames: no "
                "evaluation would end. Set fewer, or a larger budget"
            )

    def inputs(self, task: EnvironmentTask, n: int, streams: Streams) -> Tensor:
        """Observations of uniformly random actions, prepared for the network."""
        return task.prepare(observed(task, n, streams))

    def evaluator(self, context: LearningContext[EnvironmentTask]) -> Evaluator:
        """An evaluator with a slot for every environment of every worker."""
        if self.workers > 1 or context.transport is not None:
            from pathnet_evo_a3c.workers import Workers

            return Workers(self, context)
        return self.in_process(context)

    def in_process(
        self,
        context: LearningContext[EnvironmentTask],
        elsewhere: Callable[[], int] = lambda: 0,
        update: Update | None = None,
    ) -> A3CEvaluator:
        """An evaluator of one process, which may be one of several workers; see its arguments."""
        from pathnet_evo_a3c.evaluator import A3CEvaluator

        return A3CEvaluator(self, context, elsewhere, update)

    def random_baseline(self, task: EnvironmentTask, streams: Streams) -> float:
        """Mean return of uniformly random actions."""
        return _mean(self._returns(None, task, streams, ("chance", "score")))

    def score(
        self, network: PathNetwork, task: EnvironmentTask, streams: Streams
    ) -> dict[str, float]:
        """Mean return of the network's own actions, on episodes apart from training."""
        return {"mean_return": _mean(self._returns(network, task, streams, ("score", "score")))}

    def returns(
        self, network: PathNetwork | None, task: EnvironmentTask, streams: Streams
    ) -> list[float]:
        """Returns on episodes apart from those of training and scores."""
        return self._returns(network, task, streams, ("tried", "tried"))

    def _returns(
        self,
        network: PathNetwork | None,
        task: EnvironmentTask,
        streams: Streams,
        names: tuple[str, str],
    ) -> list[float]:
        """Returns of a network's own actions, or of random ones.

        Args:
            network: what plays, or None.
            task: what is played.
            streams: the stage's random streams.
            names: of the streams of actions and of episodes.
        """
        generator, policy = streams.torch(names[0]), policy_of(task)

        def act(observations: Tensor) -> Tensor:
            if network is None:
                return policy.uniform(len(observations), generator)
            return self.actions_in(task, network, observations, generator)

        episodes, lanes = self.score_episodes, self.num_envs
        return returns(task, episodes, lanes, act, streams, self.max_restarts, names[1])

    def actions(
        self, network: PathNetwork, observations: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Numbers of actions, drawn from the policy, or the most probable ones.

        Raises:
            TaskError: a logit is not finite, such as for an observation that is none.
        """
        outputs = _outputs(network, observations)
        return self._chosen(Categorical(outputs.shape[1]), outputs, generator)

    def actions_in(
        self,
        task: EnvironmentTask,
        network: PathNetwork,
        observations: Tensor,
        generator: torch.Generator,
    ) -> Tensor:
        """Numbers of actions or vectors, drawn from the policy, or the most probable ones.

        Raises:
            TaskError: an output is not finite, such as for an observation that is none.
        """
        if not task.continuous:
            return self.actions(network, observations, generator)
        return self._chosen(policy_of(task), _outputs(network, observations), generator)

    def _chosen(self, policy: Policy, outputs: Tensor, generator: torch.Generator) -> Tensor:
        if self.greedy:
            return policy.best(outputs)
        return policy.choose(outputs, policy.draw(len(outputs), generator=generator))


def _mean(returns: Sequence[float]) -> float:
    return float(np.array(returns).mean())


@torch.inference_mode()
def _outputs(network: PathNetwork, observations: Tensor) -> Tensor:
    """``(n, n_outputs)`` what the policy reads."""
    device = next(network.parameters()).device
    outputs: Tensor = network(observations.to(device))[:, :-1]
    if not torch.isfinite(outputs).all():
        raise TaskError("the network's outputs are not finite: no action can be chosen")
    return outputs


def _make_orthogonal(readout: Stack, gain: float, generator: torch.Generator) -> None:
    """Rows of the policy orthogonal and of length ``gain``, the value's of length 1, in place."""
    for name, values in readout.parameters.items():
        drawn = torch.zeros(values.shape[1:])
        if name == "weight":
            nn.init.orthogonal_(drawn[:-1], gain, generator=generator)
            nn.init.orthogonal_(drawn[-1:], 1, generator=generator)
        values[0].copy_(drawn)
