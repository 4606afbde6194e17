"""The A3C learner: actor-critics on evolving paths (Fernando et al. 2017, section 2.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from pathnet_evo.learners import Evaluator, Learner, LearningContext
from pathnet_evo.network import PathNetwork
from pathnet_evo.policies.base import Connect
from pathnet_evo.pool import ModulePool
from pathnet_evo.schedule import Scheduled
from pathnet_evo.stack import Stack
from pathnet_evo.streams import Streams
from pathnet_evo.tasks import EnvironmentTask, TaskError
from pathnet_evo_a3c import room
from pathnet_evo_a3c.playing import mean_return, observed, sample, uniform


class A3C(Scheduled, Learner):
    """Advantage actor-critic on K lanes, each with a path of its own; fitness is the mean return.

    A lane plays T episodes with its candidate's path. Every ``steps`` steps of all lanes, each
    path's modules and the readout are updated in the pool (Mnih et al. 2016).
    """

    takes: ClassVar[type] = EnvironmentTask
    connect: ClassVar[Connect] = "sum"
    published: ClassVar[Connect] = "sum"
    listens: ClassVar[bool] = True
    in_place: ClassVar[bool] = True
    unit: ClassVar[str] = "frames"
    fitness_name: ClassVar[str] = "return"

    lanes: int = Field(64, ge=1)
    """Paths that are played together, K; of each worker, where there are several."""
    workers: int = Field(1, ge=1)
    """Processes with K lanes each, W. With more than one they train one pool at the same time
    without waiting for one another (Hogwild), so equal seeds do not give equal results."""
    threads: int = Field(0, ge=0)
    """Threads of a process, each with its share of the lanes; 0 for one a core, and for one alone
    where observations are small and in a process beside others. Results do not depend on it."""
    steps: int = Field(20, ge=1)
    """Steps of each lane between updates, t_max."""
    episodes: int = Field(10, ge=1)
    """Episodes an evaluation, T."""
    discount: float = Field(0.99, ge=0, le=1)
    """By which a reward's worth falls with every step that it is away."""
    entropy_cost: float = Field(0.01, ge=0, allow_inf_nan=False)
    """What the entropy of the policy is worth."""
    value_cost: float = Field(0.5, ge=0, allow_inf_nan=False)
    """What a squared error of the value costs."""
    learning_rate: float = Field(7e-4, gt=0, allow_inf_nan=False)
    """Step size."""
    schedule: Literal["constant", "cosine", "linear", "one-cycle"] = "linear"
    """How the step size falls over the stage's budget: not at all; along half a cosine to nothing;
    in a line to nothing; or, after a rise over the first 30 %, along half a cosine."""
    decay: float = Field(0.99, ge=0, lt=1)
    """Of the mean squares of RMSProp, which stay with each module in the pool."""
    epsilon: float = Field(1e-5, gt=0, allow_inf_nan=False)
    """What RMSProp adds to their roots."""
    initial_square: float = Field(0.0, ge=0, allow_inf_nan=False)
    """What the mean squares of a new module are. With 0, as torch's, its first steps are long; with
    1, as TensorFlow's, they are short, for some thousand updates where gradients are small."""
    readout_scale: float = Field(1.0, ge=0, allow_inf_nan=False)
    """What a new readout's weights are multiplied with. With 0.01, all actions are about equally
    probable at first, however large the features are."""
    max_gradient_norm: float = Field(0.5, gt=0)
    """Length to which each lane's gradient is cut before they are summed; ``inf`` for none. Rewards
    beyond -1 ... 1 that are not clipped want more, or they count no more than the rest."""
    divide: Literal["lanes", "users"] = "lanes"
    """Whether a module's summed gradient is divided by K, or by the lanes that use it."""
    clip_rewards: bool = True
    """Cut rewards to -1 ... 1 for the gradient; fitness counts them as they are."""
    score_episodes: int = Field(30, ge=1)
    """Episodes that score a network, and as many of random actions."""
    greedy: bool = False
    """Score the most probable actions instead of drawing them."""
    restarts: int = Field(10, ge=0)
    """How often, in one stage, an environment that raised, or a worker that died or hung, is
    replaced by a new one; and how often an environment is that raised as a network was scored."""
    limit: float = Field(600, gt=0, allow_inf_nan=False)
    """Seconds that a worker may take for a rollout; after them it is taken to hang."""

    @property
    def processes(self) -> int:
        """The workers, where there are several."""
        return self.workers if self.workers > 1 else 0

    @property
    def deterministic(self) -> bool:
        """Whether there is but one worker."""
        return self.workers == 1

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
        room.check(task, self.workers, self.lanes, self.steps)

    def inputs(self, task: EnvironmentTask, n: int, streams: Streams) -> Tensor:
        """Observations of uniformly random actions, prepared for the network."""
        seen = observed(task, n, streams)
        seen = seen.float() if task.shift is None else seen - task.shift
        return seen if task.scale is None else seen * task.scale

    def evaluator(self, context: LearningContext) -> Evaluator:
        """An evaluator with a place for every lane of every worker."""
        from pathnet_evo_a3c.evaluator import A3CEvaluator
        from pathnet_evo_a3c.workers import Workers

        if self.workers > 1:
            return Workers(self, context)
        return A3CEvaluator(self, context)

    def chance(self, task: EnvironmentTask, streams: Streams) -> float:
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
        return mean_return(task, self.score_episodes, self.lanes, act, streams, self.restarts)

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
