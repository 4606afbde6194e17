"""MinAtar's games as tasks: Atari's in miniature (Young and Tian 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gymnasium.vector import VectorEnv
from pydantic import Field, field_validator

from pathnet_evo import EnvironmentTask, TaskContext, TaskError, TaskSettings, fingerprint
from pathnet_evo_minatar.games import (
    ACTIONS,
    MOST_PLANES,
    SIDE,
    find,
    minimal_actions,
    n_planes,
)


class MinAtarSettings(TaskSettings):
    """A game of MinAtar, as 10 x 10 cells with a plane of zeros and ones for each kind of thing."""

    game: str = "breakout"
    """The game: ``asterix``, ``breakout``, ``freeway``, ``seaquest`` or ``space_invaders``."""
    full_action_space: bool = True
    """Use MinAtar's six actions in every game instead of those that have an effect."""
    repeat_action_probability: float = Field(0.1, ge=0, lt=1)
    """Probability, per step, that the previous action is repeated (sticky actions)."""
    difficulty_ramping: bool = True
    """Make games harder the longer an episode lasts."""
    max_episode_steps: int = Field(5_000, ge=1, strict=True)
    """Steps after which an episode is truncated."""

    @field_validator("game")
    @classmethod
    def _known(cls, game: str) -> str:
        try:
            return find(game)
        except LookupError as error:
            raise ValueError(str(error)) from None

    @property
    def actions(self) -> tuple[int, ...]:
        """What each action is in the game."""
        return tuple(range(len(ACTIONS))) if self.full_action_space else minimal_actions(self.game)

    def make(self, context: TaskContext) -> MinAtarTask:
        """The game; observations are ``(planes, 10, 10)`` uint8, 0 or 1.

        Raises:
            TaskError: MinAtar is not installed, the pool takes another shape or fewer planes, or
                games of the sequence differ in their actions.
        """
        own = n_planes(self.game)
        shape = context.input_shape or (MOST_PLANES, SIDE, SIDE)
        if len(shape) != 3 or shape[1:] != (SIDE, SIDE) or shape[0] < own:
            raise TaskError(
                f"{self.game} has {own} colour planes of {SIDE} x {SIDE}, but the pool takes "
                f"{shape}. Set pool.input_shape=[{MOST_PLANES}, {SIDE}, {SIDE}], in which every "
                "game fits"
            )
        for other in context.sequence[context.stage + 1 :]:  # the first of two tells it
            if isinstance(other, MinAtarSettings) and other.actions != self.actions:
                raise TaskError(
                    f"{self.game} has the actions {_named(self.actions)}, but {other.game} "
                    f"{_named(other.actions)}: set full_action_space=true for all of them"
                )
        return MinAtarTask(
            name=self.game.replace("_", " "),
            observation_shape=shape,
            n_actions=len(self.actions),
            max_episode_steps=self.max_episode_steps,
            actions=tuple(ACTIONS[action] for action in self.actions),
            facts={
                **fingerprint.package("minatar"),
                "game": self.game,
                "sticky actions": self.repeat_action_probability,
                "ramping": self.difficulty_ramping,
            },
            settings=self,
        )


def _named(actions: Sequence[int]) -> str:
    return ", ".join(ACTIONS[action] for action in actions)


@dataclass(frozen=True, eq=False, kw_only=True)
class MinAtarTask(EnvironmentTask):
    """One game."""

    settings: MinAtarSettings

    def make(
        self, num_envs: int, seeds: Sequence[int], *, render: bool = False
    ) -> VectorEnv[Any, Any, Any]:
        """So many games in this process; autoreset on the next step."""
        from pathnet_evo_minatar.environment import MinAtarLanes

        settings = self.settings
        return MinAtarLanes(
            settings.game,
            seeds,
            self.observation_shape[0],
            settings.actions,
            settings.repeat_action_probability,
            settings.difficulty_ramping,
            self.max_episode_steps or settings.max_episode_steps,
        )
