"""A game or a control problem as a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor

from pathnet_evo.core.modules import Shape
from pathnet_evo.interfaces.inputs import TaskError, check_normalisation, prepared
from pathnet_evo.values.numbers import whole

if TYPE_CHECKING:
    from gymnasium.vector import VectorEnv


@dataclass(frozen=True, eq=False)
class EnvironmentTask(ABC):
    """A game or a control problem.

    Args:
        name: name of the task in reports.
        observation_shape: shape of one observation of the environment.
        n_actions: number of actions, or of entries of an action that is a vector.
        shift: subtracted from observations on use; broadcasts against their shape.
        scale: factor on the shifted observations, applied on the device.
        frame_skip: frames per step in budgets and reports, such as 4 emulator frames.
        max_episode_steps: steps after which an episode is truncated; None if the environment
            always ends.
        actions: a name per action, or empty.
        facts: anything else that identifies the task, such as its engine's version; part of its
            fingerprint.
        continuous: whether an action is a vector of ``n_actions`` numbers, float32; the usual ones
            lie within -1 and 1.

    Raises:
        TaskError: counts below 1, or a shift or scale that does not fit an observation.
    """

    name: str
    observation_shape: Shape
    n_actions: int
    shift: Tensor | None = None
    scale: Tensor | None = None
    frame_skip: int = 1
    max_episode_steps: int | None = None
    actions: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    continuous: bool = False

    def __post_init__(self) -> None:
        for name in ("n_actions", "frame_skip"):
            object.__setattr__(self, name, whole(getattr(self, name)))
            if getattr(self, name) < 1:
                raise TaskError(f"{self.name}: {name} is {getattr(self, name)}, expected 1 or more")
        if self.max_episode_steps is not None:
            object.__setattr__(self, "max_episode_steps", whole(self.max_episode_steps))
        object.__setattr__(self, "observation_shape", tuple(map(whole, self.observation_shape)))
        if self.actions and len(self.actions) != self.n_actions:
            raise TaskError(f"{self.name}: {len(self.actions)} names for {self.n_actions} actions")
        check_normalisation(self.name, self.shift, self.scale, self.observation_shape)

    @property
    def input_shape(self) -> Shape:
        """Shape of one observation."""
        return self.observation_shape

    def prepare(self, observations: Tensor) -> Tensor:
        """Observations prepared for the network: float32, shifted and scaled."""
        return prepared(observations, self.shift, self.scale)

    @abstractmethod
    def make(
        self, num_envs: int, seeds: Sequence[int], *, render: bool = False
    ) -> VectorEnv[Any, Any, Any]:
        """A vector environment.

        Observations are ``(num_envs, *observation_shape)`` uint8 or float32. Rewards are raw: their
        sum over an episode is the score that a human player would see.

        Args:
            num_envs: number of environments that step together.
            seeds: one per environment, for its first episode.
            render: whether ``render()`` must work: it returns a tuple with one
                ``(height, width, 3)`` uint8 image per environment.
        """
