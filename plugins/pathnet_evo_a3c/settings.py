"""The options of A3C, and what follows from them alone."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from pathnet_evo import Connect, EnvironmentTask, Learner, Scheduled


class A3CSettings(Scheduled, Learner[EnvironmentTask]):
    """Options of ``A3C``."""

    takes: ClassVar[type] = EnvironmentTask
    connect: ClassVar[Connect] = "sum"
    published: ClassVar[Connect] = "sum"
    listens: ClassVar[bool] = True
    in_place: ClassVar[bool] = True
    unit: ClassVar[str] = "frames"
    fitness_name: ClassVar[str] = "return"

    num_envs: int = Field(64, ge=1)
    """Paths that are played together, K; of each worker, where there are several."""
    workers: int = Field(1, ge=1)
    """Processes with K environments each, W. With more than one they train one pool at the same
    time without waiting for one another (Hogwild), so equal seeds do not give equal results."""
    threads: int = Field(0, ge=0)
    """Threads of a process, each with its share of the environments; 0 for one a core, and for one
    alone where observations are small and in a process beside others. Results do not depend on
    it."""
    rollout_length: int = Field(20, ge=1)
    """Steps of each environment between updates, t_max."""
    episodes: int = Field(10, ge=1)
    """Episodes an evaluation, T."""
    discount: float = Field(0.99, ge=0, le=1)
    """By which a reward's worth falls with every step that it is away."""
    entropy_coef: float = Field(0.01, ge=0, allow_inf_nan=False)
    """What the entropy of the policy is worth."""
    value_coef: float = Field(0.5, ge=0, allow_inf_nan=False)
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
    max_grad_norm: float = Field(0.5, gt=0)
    """Length to which each environment's gradient is cut before they are summed; ``inf`` for none.
    Rewards beyond -1 ... 1 that are not clipped want more, or they count no more than the rest."""
    divide: Literal["envs", "users"] = "envs"
    """Whether a module's summed gradient is divided by K, or by the environments that use it."""
    clip_rewards: bool = True
    """Cut rewards to -1 ... 1 for the gradient; fitness counts them as they are."""
    score_episodes: int = Field(30, ge=1)
    """Episodes that score a network, and as many of random actions."""
    greedy: bool = False
    """Score the most probable actions instead of drawing them."""
    max_restarts: int = Field(10, ge=0)
    """How often, in one stage, an environment that raised, or a worker that died or hung, is
    replaced by a new one; and how often an environment is that raised as a network was scored."""
    timeout: float = Field(600, gt=0, allow_inf_nan=False)
    """Seconds that a worker may take for a rollout; after them it is taken to hang."""

    @property
    def processes(self) -> int:
        """The workers, where there are several."""
        return self.workers if self.workers > 1 else 0

    @property
    def deterministic(self) -> bool:
        """Whether there is but one worker."""
        return self.workers == 1
