"""The options of A3C."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, Literal, TypeAlias

from pydantic import Field
from torch import Tensor

from pathnet_evo import (
    Connect,
    EnvironmentTask,
    Evaluator,
    Learner,
    LearningContext,
    Scheduled,
    Stack,
)

Update: TypeAlias = Callable[[Stack, Tensor, Mapping[str, Tensor]], None]
"""Takes the gradients of some modules of a stack."""


class A3CSettings(Scheduled, Learner[EnvironmentTask]):
    """Options of ``A3C``."""

    takes: ClassVar[type] = EnvironmentTask
    connect: ClassVar[Connect] = "sum"
    published: ClassVar[Connect] = "sum"
    listens: ClassVar[bool] = True
    heard_energy: ClassVar[float] = 3.0
    """With 60, PPO learned MinAtar's Breakout 21 % more slowly while it listened to another game's
    path than alone, with 3 it learned 3 % faster (area of the learning curve, seeds 101 to 103)."""
    in_place: ClassVar[bool] = True
    own_workers: ClassVar[bool] = True
    policy: ClassVar[bool] = True
    unit: ClassVar[str] = "frames"
    fitness_name: ClassVar[str] = "return"
    keeps_observations: ClassVar[bool] = False

    num_envs: int = Field(64, ge=1)
    """Environments stepped together, K, each with its own path; per worker if there are several."""
    workers: int = Field(1, ge=1)
    """Processes with K environments each, W. More than one train the same pool without waiting for
    each other (Hogwild), so equal seeds do not give equal results. With ``engine = "ray"`` they are
    spread over a cluster, and send gradients to the trial's process."""
    max_staleness: int | None = Field(None, ge=0)
    """Rollouts by which a worker may be ahead of the slowest busy one; None is no limit. Workers of
    one machine then send gradients instead of sharing the pool."""
    threads: int = Field(0, ge=0)
    """Threads per process; they share the environments. 0: one per core, or a single one if
    observations are small or other processes run beside this one. Results do not depend on it."""
    rollout_length: int = Field(20, ge=1)
    """Steps per environment between updates, t_max."""
    episodes: int = Field(10, ge=1)
    """Episodes per evaluation, T."""
    evaluation_frames: int | None = Field(None, ge=1)
    """Frames per evaluation instead of episodes: it ends with the first episode that ends after so
    many. A number of episodes favours paths that die early in an asynchronous tournament."""
    discount: float = Field(0.99, ge=0, le=1)
    """Discount factor per step."""
    gae_lambda: float = Field(1.0, ge=0, le=1)
    """Generalised advantage estimation: 1 uses the whole rollout, 0 one step."""
    normalise_advantages: bool = False
    """Give the advantages of a rollout mean 0 and deviation 1, over all environments."""
    entropy_coef: float = Field(0.01, ge=0, allow_inf_nan=False)
    """Weight of the entropy bonus."""
    value_coef: float = Field(0.5, ge=0, allow_inf_nan=False)
    """Weight of the squared value error."""
    learning_rate: float = Field(7e-4, gt=0, allow_inf_nan=False)
    """Learning rate."""
    schedule: Literal["constant", "cosine", "linear", "one-cycle"] = "linear"
    """Learning rate over the stage's budget: constant; half a cosine down to 0; linear down to 0;
    or a warm-up over the first 30 %, then half a cosine."""
    decay: float = Field(0.99, ge=0, lt=1)
    """Decay of RMSProp's mean squares, which are stored beside each module in the pool."""
    epsilon: float = Field(1e-5, gt=0, allow_inf_nan=False)
    """Added to the root of the mean squares in RMSProp."""
    initial_square: float = Field(0.0, ge=0, allow_inf_nan=False)
    """Initial mean squares of a module. 0, as in torch, makes its first steps long; 1, as in
    TensorFlow, makes them short, for thousands of updates if gradients are small."""
    readout_scale: float = Field(1.0, ge=0, allow_inf_nan=False)
    """Factor on the initial weights of a readout. With 0.01 all actions start about equally
    probable, however large the features are."""
    initial_readout: Literal["torch", "orthogonal"] = "torch"
    """Initialisation of a readout: torch's default, or orthogonal weights and zero biases, where
    ``readout_scale`` is the policy's gain and the value's is 1."""
    max_grad_norm: float = Field(0.5, gt=0)
    """Norm to which each environment's gradient is clipped before summing; ``inf`` for no clipping.
    Unclipped rewards beyond -1 ... 1 need a larger norm, or they count no more than small ones."""
    divide: Literal["envs", "users"] = "envs"
    """Divide a module's summed gradient by K, or by the number of environments that use it."""
    clip_rewards: bool = True
    """Clip rewards to -1 ... 1 for the gradient; fitness uses raw rewards."""
    score_episodes: int = Field(30, ge=1)
    """Episodes that score a network; also for the random baseline."""
    greedy: bool = False
    """Score with the most probable actions instead of sampling."""
    max_restarts: int = Field(10, ge=0)
    """Restarts allowed per stage for environments that raise and workers that die or hang, and for
    environments that fail while a network is scored."""
    timeout: float = Field(600, gt=0, allow_inf_nan=False)
    """Seconds per rollout after which a worker counts as hung."""

    def enough(self, episodes: int, frames: int) -> bool:
        """Whether an evaluation is over, at the end of an episode.

        Args:
            episodes: that it played.
            frames: that it played.
        """
        if self.evaluation_frames is None:
            return episodes >= self.episodes
        return frames >= self.evaluation_frames

    @property
    def processes(self) -> int:
        """The number of workers, or 0 for one."""
        return self.workers if self.workers > 1 else 0

    @property
    def deterministic(self) -> bool:
        """Whether there is only one worker."""
        return self.workers == 1

    @abstractmethod
    def in_process(
        self,
        context: LearningContext[EnvironmentTask],
        elsewhere: Callable[[], int] = lambda: 0,
        update: Update | None = None,
    ) -> Evaluator:
        """An evaluator of one process, which may be one of several workers.

        Args:
            context: what it learns.
            elsewhere: frames that other workers have used in this stage.
            update: takes gradients in place of the pool.
        """
