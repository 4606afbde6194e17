"""Atari games as tasks, preprocessed as Mnih et al. (2015, 2016) do, by ale-py itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import torch
from gymnasium.vector import VectorEnv
from pydantic import Field, field_validator

from pathnet_evo.fingerprint import content, package
from pathnet_evo.tasks import EnvironmentTask, TaskContext, TaskError, TaskSettings
from pathnet_evo_atari.games import action_names, background, cartridge, find


class AtariSettings(TaskSettings):
    """A game of ale-py: grey pictures, several at once, each the maximum of two frames."""

    game: str = "pong"
    """Which game: ``pong``, ``river-raid``, ``MsPacman``, ``ALE/Pong-v5``."""
    size: int | None = Field(None, ge=8, le=512, strict=True)
    """Height and width in pixels; nothing for those of the pool, or 84 where it has none."""
    frames: int | None = Field(None, ge=1, le=64, strict=True)
    """How many pictures an observation holds, the latest last; nothing for the pool's channels,
    or 4."""
    skip: int = Field(4, ge=1, le=64, strict=True)
    """Frames of the emulator for which an action is held: what one step counts in budgets."""
    noop_max: int = Field(30, ge=0, strict=True)
    """An episode begins after fewer than this many frames in which nothing is done, as many as its
    seed says."""
    fire_on_reset: bool = True
    """Press fire once as an episode begins, in games that know it."""
    episodic_life: bool = False
    """End an episode when a life is lost, its score that of one life; the next one is a new
    game."""
    full_action_space: bool = False
    """All 18 actions, in every game the same, instead of those that the game knows."""
    repeat_action_probability: float = Field(0.0, ge=0, lt=1)
    """Chance, at every frame, that the game holds the action before instead (sticky actions)."""
    max_episode_frames: int = Field(108_000, ge=1, strict=True)
    """Frames of the emulator after which an episode is cut off: half an hour of play."""
    shift: int | None = Field(None, ge=0, le=255, strict=True)
    """What is subtracted from the greys 0 to 255 before they are scaled; nothing for the game's
    background, so that it is 0 and what moves is not lost in it."""
    threads: int = Field(0, ge=0, strict=True)
    """Threads that emulate; 0 for one a core. Results do not depend on it."""

    @field_validator("game")
    @classmethod
    def _known(cls, game: str) -> str:
        try:
            return find(game)
        except LookupError as error:
            raise ValueError(str(error)) from None

    def make(self, context: TaskContext) -> AtariTask:
        """The game; observations are ``(frames, height, width)`` uint8.

        Raises:
            TaskError: the pool does not take pictures, or ale-py does not work.
        """
        shape = context.input_shape
        if shape is not None and len(shape) != 3:
            raise TaskError(
                f"a game gives pictures (frames, height, width), but the pool takes {shape}. "
                "Set pool.input=[4, 84, 84]"
            )
        frames, height, width = shape or (4, 84, 84)
        size = (self.size or height, self.size or width)
        try:
            actions = action_names(self.game, self.full_action_space)
            shift = background(self.game) if self.shift is None else self.shift
            rom = cartridge(self.game).read_bytes()
        except (ImportError, OSError) as error:
            raise TaskError(f"ale-py cannot play {self.game}: {error}") from None
        return AtariTask(
            name=self.game.replace("_", " "),
            observation_shape=(self.frames or frames, *size),
            n_actions=len(actions),
            shift=torch.tensor(float(shift)),
            scale=torch.tensor(1 / 255),
            frames=self.skip,
            max_steps=ceil(self.max_episode_frames / self.skip),
            actions=actions,
            facts={**package("ale_py"), "game": content(rom)},
            settings=self,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class AtariTask(EnvironmentTask):
    """One game."""

    settings: AtariSettings

    def make(
        self, lanes: int, seeds: Sequence[int], *, render: bool = False
    ) -> VectorEnv[Any, Any, Any]:
        """So many games at once; raw rewards, autoreset on the next step."""
        from pathnet_evo_atari.environment import AtariLanes

        frames, height, width = self.observation_shape
        return AtariLanes(self.settings, lanes, seeds, (frames, height, width), render=render)
