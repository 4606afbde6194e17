"""Any Gymnasium environment with Discrete or Box actions, as a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any

import gymnasium
import torch
from gymnasium.vector import VectorEnv
from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, field_validator
from torch import Tensor

from pathnet_evo import EnvironmentTask, Shape, TaskContext, TaskError, TaskSettings, fingerprint
from pathnet_evo_gym.actions import Actions, actions_of
from pathnet_evo_gym.channels import Channels, channels_last
from pathnet_evo_gym.environment import Adapt, Adapted, GymLanes
from pathnet_evo_gym.names import registered
from pathnet_evo_gym.variants import Variant

Plain = StrictBool | StrictInt | StrictFloat | StrictStr
Number = Annotated[float, Field(allow_inf_nan=False)]

STEPS = 10_000
"""Steps after which an episode is cut off where neither environment nor user has a limit."""
NO_LIMIT = (None, -1)
"""What Gymnasium takes for no limit."""
RESERVED = (
    "render_mode",
    "max_episode_steps",
    "disable_env_checker",
    "id",
    "env_id",
    "vectorization_mode",
)
"""Arguments of ``gymnasium.make`` that are set here."""


class GymSettings(TaskSettings):
    """An environment registered by Gymnasium, a package or a plugin."""

    id: str = "CartPole-v1"
    """Environment id, such as ``CartPole-v1``. It cannot name a module to import
    (``module:Name-v0``); a package or a plugin registers the environment."""
    kwargs: dict[str, Plain | list[Plain]] = Field({})
    """Keyword arguments of the environment, such as ``{is_slippery = false}``."""
    attributes: dict[str, Number] = Field({})
    """Numeric attributes to change, such as ``{gravity = 15.0}``, for variants of a task. Values
    that the constructor computes from them change as well."""
    max_episode_steps: int | None = Field(None, ge=1, strict=True)
    """Steps after which an episode is truncated. Default: the environment's limit, or 10,000."""
    channels: Channels = "auto"
    """Position of the channels in images; ``last`` moves them to the front. ``auto`` infers it
    from the shape, and refuses ambiguous shapes such as 10 by 10 by 10."""
    pad: bool = False
    """Pad smaller observations with zeros to the pool's shape, so that different environments can
    share a pool."""
    shift: Number | list[Number] = 0.0
    """Subtracted from observations: a number, or one per entry of a vector."""
    scale: Number | list[Number] | None = None
    """Factor on the shifted observations. Default: 1, or 1/255 for uint8."""

    @field_validator("id")
    @classmethod
    def _registered(cls, name: str) -> str:
        return registered(name)

    @field_validator("kwargs")
    @classmethod
    def _no_rendering(cls, kwargs: dict[str, Any]) -> dict[str, Any]:
        for name in RESERVED:
            if name in kwargs:
                raise ValueError(f"{name} cannot be set here")
        return kwargs

    def make(self, context: TaskContext) -> GymTask:
        """The task; observations are float32, or uint8 where the environment's are.

        Raises:
            TaskError: it cannot be made, has actions that are neither Discrete nor Box,
                observations that are no single array or larger than what the pool takes, or
                attributes that do not last.
        """
        env = self.environment()
        try:
            task = self._task(env, context.input_shape)
            if self.attributes:
                self._check_reset(env)
        finally:
            env.close()
        return task

    def environment(self, *, render: bool = False) -> gymnasium.Env[Any, Any]:
        """One environment as Gymnasium makes it, with the attributes that were asked for.

        Raises:
            TaskError: it cannot be made, or has no such attribute.
        """
        # Not every environment knows how to draw: without need none is asked to.
        drawing = {"render_mode": "rgb_array"} if render else {}
        try:
            return self._variant().make(
                max_episode_steps=self.limit, disable_env_checker=True, **drawing
            )
        except TaskError:
            raise
        except Exception as error:  # whatever an environment does
            raise TaskError(f"{self.id} cannot be made: {_said(error)}") from None

    @property
    def limit(self) -> int:
        """Steps after which an episode is cut off.

        Raises:
            TaskError: the environment is registered with a limit that is none.
        """
        own = gymnasium.spec(self.id).max_episode_steps
        if self.max_episode_steps is not None:
            return self.max_episode_steps
        if own in NO_LIMIT:
            return STEPS
        if not isinstance(own, int) or own < 1:
            raise TaskError(
                f"{self.id} is registered with max_episode_steps = {own!r}: set max_episode_steps"
            )
        return own

    def _variant(self) -> Variant:
        return Variant(gymnasium.spec(self.id), self.attributes, self.kwargs)

    def _check_reset(self, env: gymnasium.Env[Any, Any]) -> None:
        """Refuse attributes that an episode's start overwrites."""
        try:
            env.reset(seed=0)
        except Exception as error:  # whatever an environment does
            raise TaskError(f"{self.id} cannot be reset: {_said(error)}") from None
        self._variant().check(env, " after a reset")

    def _task(self, env: gymnasium.Env[Any, Any], wanted: Shape | None) -> GymTask:
        spaces = gymnasium.spaces
        space = env.observation_space
        try:
            actions = actions_of(env.action_space)
        except ValueError as error:
            raise TaskError(
                f"{self.id}: its action space is {_kind(env.action_space)}; {error}"
            ) from None
        if not isinstance(space, spaces.Box):
            raise TaskError(
                f"{self.id}: its observation space is {_kind(space)}; only a Box of numbers is "
                "supported"
            )
        adapt = self._adapt(space, wanted)
        shape = adapt.shape
        own = shape if adapt.padded is None else adapt.padded
        scale = self.scale if self.scale is not None else (1 / 255 if adapt.bytes_ else None)
        return GymTask(
            name=self.id,
            observation_shape=own,
            n_actions=actions.n,
            continuous=actions.continuous,
            shift=self._normal("shift", self.shift, shape, own) if self.shift else None,
            scale=None if scale is None else self._normal("scale", scale, shape, own),
            max_episode_steps=self.limit,
            facts=_facts(env),
            settings=self,
            adapt=adapt,
            own_actions=actions,
        )

    def _adapt(self, space: gymnasium.spaces.Box, wanted: Shape | None) -> Adapt:
        """What is done to observations so that the pool takes them."""
        given = tuple(int(side) for side in space.shape)
        if 0 in given:
            raise TaskError(f"{self.id}: observations {given} are empty")
        adapt = Adapt(given, bytes_=space.dtype == "uint8", moved=self._moved(given))
        shape = adapt.shape
        if not self.pad or wanted is None or wanted == shape:
            return adapt
        if len(wanted) != len(shape) or any(w < s for w, s in zip(wanted, shape, strict=True)):
            raise TaskError(
                f"{self.id}: observations {shape} cannot be padded to the pool's {wanted}. "
                "Set pool.input_shape to a shape that all tasks fit in"
            )
        return replace(adapt, padded=wanted)

    def _moved(self, given: Shape) -> bool:
        """Whether the channels are moved to the front."""
        if len(given) != 3:
            return False
        if self.channels != "auto":
            return self.channels == "last"
        last = channels_last(given)
        if last is None:
            raise TaskError(
                f"{self.id}: observations are {given}, which does not say where the channels are: "
                'set channels to "last" or "first"'
            )
        return last

    def _normal(self, what: str, value: float | list[float], shape: Shape, own: Shape) -> Tensor:
        """A shift or a scale that broadcasts against an observation, and leaves zeros behind it."""
        values = torch.tensor(value, dtype=torch.float32)
        if values.dim() and values.shape != shape:
            raise TaskError(f"{self.id}: {what} has {len(values)} numbers, observations {shape}")
        if own == shape or (what == "scale" and not values.dim()):
            return values
        padded = torch.zeros(own)
        padded[tuple(map(slice, shape))] = values
        return padded


@dataclass(frozen=True, eq=False, kw_only=True)
class GymTask(EnvironmentTask):
    """An environment of Gymnasium."""

    settings: GymSettings
    adapt: Adapt
    own_actions: Actions

    def make(
        self, num_envs: int, seeds: Sequence[int], *, render: bool = False
    ) -> VectorEnv[Any, Any, Any]:
        """So many environments in this process, one stepped after the other."""
        if render:
            modes = _modes(self.settings)
            if "rgb_array" not in modes:
                raise TaskError(f"{self.settings.id} cannot render (rgb_array)")
        return GymLanes([partial(self._lane, render)] * num_envs, seeds)

    def _lane(self, render: bool) -> Adapted:
        env = self.settings.environment(render=render)
        return Adapted(env, self.adapt, self.own_actions)


def _modes(settings: GymSettings) -> Sequence[str]:
    env = settings.environment()
    modes: Sequence[str] = env.metadata.get("render_modes", ())
    env.close()
    return modes


def _facts(env: gymnasium.Env[Any, Any]) -> dict[str, str]:
    """What tells an environment from another of its name: where it comes from, and its spaces."""
    home = type(env.unwrapped)
    return {
        "entry point": f"{home.__module__}:{home.__qualname__}",
        "observations": " ".join(str(env.observation_space).split()),
        "action space": str(env.action_space),
        **fingerprint.package("gymnasium"),
        **fingerprint.package(home.__module__),
    }


def _kind(space: gymnasium.Space[Any]) -> str:
    return " ".join(str(space).split())[:80]


def _said(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300] or repr(error)
