"""Any environment of Gymnasium with discrete actions, as a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Annotated, Any, Literal

import gymnasium
import torch
from gymnasium.vector import VectorEnv
from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, field_validator
from torch import Tensor

from pathnet_evo.modules import Shape
from pathnet_evo.tasks import EnvironmentTask, TaskContext, TaskError, TaskSettings
from pathnet_evo_gym.environment import Adapt, GymLanes

Plain = StrictBool | StrictInt | StrictFloat | StrictStr
Number = Annotated[float, Field(allow_inf_nan=False)]

STEPS = 10_000
"""Steps after which an episode is cut off where neither environment nor user has a limit."""
WRAPPERS = ("GymV21Environment-v0", "GymV26Environment-v0")
"""Ids that stand for environments of another package, which they would import by name."""


class GymSettings(TaskSettings):
    """An environment that Gymnasium, a package or a plugin has registered."""

    id: str = "CartPole-v1"
    """Its id, such as ``CartPole-v1``. A module to import (``module:Name-v0``) cannot be named: an
    installed package, or a plugin, registers it."""
    kwargs: dict[str, Plain | list[Plain]] = Field({})
    """Options of the environment, such as ``{is_slippery = false}``."""
    attributes: dict[str, Number] = Field({})
    """Numbers that the environment has as attributes, set when it is made, such as
    ``{gravity = 15.0}``: variants of one task."""
    max_steps: int | None = Field(None, ge=1, strict=True)
    """Steps after which an episode is cut off; nothing for the environment's own limit, or 10,000
    where it has none."""
    channels: Literal["last", "first"] = "last"
    """Where pictures have their channels; ``last`` are moved to the front."""
    pad: bool = False
    """Put zeros behind observations that are smaller than what the pool takes, so that different
    environments share a pool."""
    shift: Number | list[Number] = 0.0
    """Subtracted from observations as they are used: a number, or one for each of a vector's."""
    scale: Number | list[Number] | None = None
    """The shifted observations are multiplied with it; nothing for 1, or 1/255 for uint8."""

    @field_validator("id")
    @classmethod
    def _registered(cls, name: str) -> str:
        known = [known for known in gymnasium.registry if known not in WRAPPERS]
        if ":" in name:
            raise ValueError(
                "a module to import cannot be named here: load a plugin that registers the "
                "environment (--plugin FILE.py)"
            )
        if name not in known:
            near = get_close_matches(name, known, 3)
            meant = f" Did you mean {' or '.join(near)}?" if near else ""
            raise ValueError(f"no such environment is registered with Gymnasium.{meant}")
        return name

    @field_validator("kwargs")
    @classmethod
    def _no_rendering(cls, kwargs: dict[str, Any]) -> dict[str, Any]:
        for name in ("render_mode", "max_episode_steps", "id", "env_id", "vectorization_mode"):
            if name in kwargs:
                raise ValueError(f"{name} cannot be set here")
        return kwargs

    def make(self, context: TaskContext) -> GymTask:
        """The task; observations are float32, or uint8 where the environment's are.

        Raises:
            TaskError: it cannot be made, has continuous actions, or observations that are no
                single array or larger than what the pool takes.
        """
        env = self.environment()
        try:
            return self._task(env, context.input_shape)
        finally:
            env.close()

    def environment(self, *, render: bool = False) -> gymnasium.Env[Any, Any]:
        """One environment as Gymnasium makes it, with the attributes that were asked for.

        Raises:
            TaskError: it cannot be made, or has no such attribute.
        """
        spec = gymnasium.spec(self.id)
        limit = self.max_steps or spec.max_episode_steps or STEPS
        try:
            env = gymnasium.make(
                spec,
                max_episode_steps=limit,
                render_mode="rgb_array" if render else None,
                disable_env_checker=True,
                **self.kwargs,
            )
        except Exception as error:  # whatever an environment does
            raise TaskError(f"{self.id} cannot be made: {_said(error)}") from None
        for name, value in self.attributes.items():
            found = getattr(env.unwrapped, name, None)
            if isinstance(found, bool) or not isinstance(found, int | float):
                env.close()
                raise TaskError(f"{self.id} has no attribute {name!r} that is a number")
            setattr(env.unwrapped, name, type(found)(value))
        return env

    def _task(self, env: gymnasium.Env[Any, Any], wanted: Shape | None) -> GymTask:
        spaces = gymnasium.spaces
        actions, space = env.action_space, env.observation_space
        if not isinstance(actions, spaces.Discrete):
            raise TaskError(
                f"{self.id}: its actions are {_kind(actions)}, and only Discrete ones are learned"
            )
        if not isinstance(space, spaces.Box):
            raise TaskError(
                f"{self.id}: its observations are {_kind(space)}, and only a Box of numbers can be "
                "learned"
            )
        adapt = Adapt(moved=len(space.shape) == 3 and self.channels == "last")
        shape = adapt.shape(space.shape)
        if self.pad and wanted is not None and wanted != shape:
            if len(wanted) != len(shape) or any(w < s for w, s in zip(wanted, shape, strict=True)):
                raise TaskError(
                    f"{self.id}: observations {shape} cannot be padded to the pool's {wanted}. "
                    "Set pool.input to a shape that all tasks fit in"
                )
            adapt = replace(adapt, padded=wanted)
        own = shape if adapt.padded is None else adapt.padded
        bytes_ = space.dtype == "uint8"
        scale = self.scale if self.scale is not None else (1 / 255 if bytes_ else None)
        return GymTask(
            name=self.id,
            observation_shape=own,
            n_actions=int(actions.n),
            shift=self._normal("shift", self.shift, shape, own) if self.shift else None,
            scale=None if scale is None else self._normal("scale", scale, shape, own),
            max_steps=_limit(env),
            settings=self,
            adapt=adapt,
        )

    def _normal(self, what: str, value: float | list[float], shape: Shape, own: Shape) -> Tensor:
        """A shift or a scale that broadcasts against an observation, zeros behind included."""
        values = torch.tensor(value, dtype=torch.float32)
        if values.dim() == 0:
            return values
        if values.shape != shape:
            raise TaskError(f"{self.id}: {what} has {len(values)} numbers, observations {shape}")
        return torch.cat([values, torch.zeros(own[0] - shape[0])])


@dataclass(frozen=True, eq=False, kw_only=True)
class GymTask(EnvironmentTask):
    """An environment of Gymnasium."""

    settings: GymSettings
    adapt: Adapt

    def make(
        self, lanes: int, seeds: Sequence[int], *, render: bool = False
    ) -> VectorEnv[Any, Any, Any]:
        """So many environments in this process, one stepped after the other."""
        if render:
            modes = _modes(self.settings)
            if "rgb_array" not in modes:
                raise TaskError(f"{self.settings.id} draws no pictures (rgb_array)")
        return GymLanes(
            [
                lambda: self.adapt.wrap(self.settings.environment(render=render))
                for _ in range(lanes)
            ],
            seeds,
        )


def _modes(settings: GymSettings) -> Sequence[str]:
    env = settings.environment()
    modes: Sequence[str] = env.metadata.get("render_modes", ())
    env.close()
    return modes


def _limit(env: gymnasium.Env[Any, Any]) -> int:
    spec = env.spec
    assert spec is not None
    assert spec.max_episode_steps is not None
    return spec.max_episode_steps


def _kind(space: gymnasium.Space[Any]) -> str:
    return " ".join(str(space).split())[:80]


def _said(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300] or repr(error)
