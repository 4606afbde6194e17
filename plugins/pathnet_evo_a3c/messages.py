"""What the trial and its workers say to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor

from pathnet_evo import Candidate, EnvironmentTask, Episode, Evaluation, LearningContext
from pathnet_evo_a3c.settings import A3CSettings


@dataclass(frozen=True)
class ModuleValues:
    """Something of some modules of one stack: weights that changed, or gradients.

    Args:
        stack: which of ``pool.stacks(head)``.
        modules: ``(n,)`` which of its modules.
        values: by parameter ``(n, *parameter_shape)``.
    """

    stack: int
    modules: Tensor
    values: Mapping[str, Tensor]

    @property
    def bytes(self) -> int:
        """How much of it travels."""
        return sum(values.nbytes for values in (self.modules, *self.values.values()))


Some: TypeAlias = tuple[ModuleValues, ...]


@dataclass(frozen=True)
class Begin:
    """To a worker, first of all: what it is to do.

    Args:
        learner: the settings.
        context: the stage; the pool in it is shared memory, or a copy.
        clock: ``(W + 1,)`` int64 in shared memory: frames of each worker, and those played before
            the stage was resumed; None where nothing is shared.
    """

    learner: A3CSettings
    context: LearningContext[EnvironmentTask]
    clock: Tensor | None


@dataclass(frozen=True)
class Orders:
    """To a worker: drop what it has if ``round`` is new, then take candidates on.

    Args:
        round: increases when all that is in flight is given up.
        candidates: to be played as well.
        used: how much of the stage's budget is used.
        changed: modules of its paths that changed since it was sent them last, and leave to play
            the next rollout; None where it shares the pool, or is not to play.
    """

    round: int
    candidates: tuple[Candidate, ...] = ()
    used: int = 0
    changed: Some | None = None


@dataclass(frozen=True)
class Played:
    """From a worker: it is ready, has played a rollout, or has dropped what it had.

    Args:
        round: that of the last orders.
        evaluations: those that are over.
        episodes: those that ended; ``at`` counts frames from the rollout's beginning.
        frames: how many were played.
        gradients: for whoever has the pool, divided and cut to length; None where it is shared.
        waited: seconds between its last report and the orders to play this rollout.
        error: why it has ended.
    """

    round: int
    evaluations: tuple[Evaluation, ...] = ()
    episodes: tuple[Episode, ...] = ()
    frames: int = 0
    gradients: Some | None = None
    waited: float = 0.0
    error: str | None = None
