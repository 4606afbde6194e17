"""Atari games as tasks, preprocessed as Mnih et al. (2015, 2016) do, by ale-py itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import torch
from gymnasium.vector import VectorEnv

from pathnet_evo import EnvironmentTask, TaskContext, TaskError, fingerprint
from pathnet_evo_atari.games import action_names, background, cartridge
from pathnet_evo_atari.settings import GameSettings
from pathnet_evo_atari.views import look, shown


class AtariSettings(GameSettings):
    """A game of ale-py, as stacks of grey images, each the maximum of two frames."""

    def make(self, context: TaskContext) -> AtariTask:
        """The game; observations are ``(frames, height, width)`` uint8.

        Raises:
            TaskError: the pool does not take pictures, or ale-py does not work.
        """
        shape = context.input_shape
        if shape is not None and len(shape) != 3:
            raise TaskError(
                f"a game provides images (frames, height, width), but the pool takes {shape}. "
                "Set pool.input_shape=[4, 84, 84]"
            )
        frames, height, width = shape or (4, 84, 84)
        size = (self.size or height, self.size or width)
        try:
            actions = action_names(self.game, self.full_action_space)
            grey = background(self.game)
            rom = cartridge(self.game).read_bytes()
        except (ImportError, OSError) as error:
            raise TaskError(f"ale-py cannot play {self.game}: {error}") from None
        shift = shown(self.views, grey) if self.shift is None else self.shift
        return AtariTask(
            name=", ".join([self.game.replace("_", " "), *self.views]),
            observation_shape=(self.frame_stack or frames, *size),
            n_actions=len(actions),
            shift=torch.tensor(float(shift)),
            scale=torch.tensor(1 / 255),
            frame_skip=self.frame_skip,
            max_episode_steps=ceil(self.max_episode_frames / self.frame_skip),
            actions=actions,
            facts={**fingerprint.package("ale_py"), "game": fingerprint.content(rom)},
            settings=self,
            background=grey,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class AtariTask(EnvironmentTask):
    """One game.

    Args:
        settings: which, and how it is preprocessed.
        background: the grey of its background, 0 to 255.
    """

    settings: GameSettings
    background: int

    def make(
        self, num_envs: int, seeds: Sequence[int], *, render: bool = False
    ) -> VectorEnv[Any, Any, Any]:
        """So many games at once; raw rewards, autoreset on the next step."""
        from pathnet_evo_atari.environment import AtariLanes

        frames, height, width = self.observation_shape
        return AtariLanes(
            self.settings,
            num_envs,
            seeds,
            (frames, height, width),
            look(self.settings.views, self.background, (height, width)),
            render=render,
        )
