"""ale-py's vector environment with a seed for each lane, and with pictures to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, VectorEnv

from pathnet_evo_atari.games import HERTZ, console
from pathnet_evo_atari.openings import Openings
from pathnet_evo_atari.settings import GameSettings
from pathnet_evo_atari.views import Look

NOOP = 0
"""The action that every game has first."""


class AtariLanes(VectorEnv[Any, Any, Any]):
    """Games that are stepped together; what a lane does depends on its seed and actions alone.

    Unless the settings say ``reload``, an episode starts with no-ops drawn from its seed. They are
    steps like any other, but actions are ignored, rewards and ends are not reported, and
    ``infos["opening"]``, ``(num_envs,)`` bool, says in which lanes the next step is one of them.

    Args:
        settings: which game, and how it is preprocessed.
        num_envs: how many.
        seeds: one a lane, for its first episode.
        shape: ``(frames, height, width)`` of an observation.
        look: makes of ale-py's pictures those that are observed.
        render: also play the same games in colour and full size, for ``render``.
    """

    def __init__(
        self,
        settings: GameSettings,
        num_envs: int,
        seeds: Sequence[int],
        shape: tuple[int, int, int],
        look: Look,
        *,
        render: bool = False,
    ) -> None:
        frames, height, width = shape
        self._games = _games(
            settings, num_envs, stack_num=frames, img_height=height, img_width=width
        )
        self._pictures = _full_size(settings, num_envs) if render else None
        self._seeds: list[int] | None = list(seeds)
        self._look = look
        self._quick = settings.quick
        self._openings = Openings(num_envs, settings.n_openings)
        self._over = np.zeros(num_envs, dtype=bool)
        self._n_actions = int(self._games.single_action_space.n)
        self.num_envs = num_envs
        self.single_observation_space = self._games.single_observation_space
        self.observation_space = self._games.observation_space
        self.single_action_space = self._games.single_action_space
        self.action_space = self._games.action_space
        self.render_mode = "rgb_array" if render else None
        self.metadata = {
            "autoreset_mode": AutoresetMode.NEXT_STEP,
            "reset_mask": True,
            "render_modes": ["rgb_array"],
            "render_fps": HERTZ / settings.frame_skip,
        }

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | npt.NDArray[np.int64] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Begin new episodes.

        Args:
            seed: one a lane; a number stands for itself and those that follow. Nothing is, the
                first time, the seeds that the lanes were made with, and then what the lane's own
                generator gives.
            options: ``reset_mask``, ``(num_envs,)`` booleans: the lanes that begin anew, and whose
                seeds are used; the others stay where they are.

        Returns:
            ``(num_envs, frames, height, width)`` uint8, and ale-py's info.
        """
        mask = (options or {}).get("reset_mask")
        if mask is None:
            mask = np.ones(self.num_envs, dtype=bool)
        if seed is None:
            seed = self._seeds
        elif isinstance(seed, int):
            seed = range(seed, seed + self.num_envs)
        self._seeds = None
        drawn = None
        if seed is not None:
            drawn = np.array([-1 if s is None else int(s) % 2**31 for s in seed])
        if self._quick:
            given = None if drawn is None else [None if s < 0 else s for s in drawn.tolist()]
            self._openings.begin(mask, given)
            drawn = None
        self._over &= ~mask
        chosen = {"seed": None if drawn is None else drawn[mask], "options": {"reset_mask": mask}}
        if self._pictures is not None:
            self._picture = self._pictures.reset(**chosen)[0]
        observation, info = self._games.reset(**chosen)
        return self._look(observation), {**info, "opening": self._openings.open}

    def step(self, actions: npt.NDArray[np.int64]) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Take one action in each lane.

        Raises:
            ValueError: an action that the game does not have (ale-py would wait for ever), or
                pictures that are not those of the same game.
        """
        actions = np.asarray(actions)
        if actions.min() < 0 or actions.max() >= self._n_actions:
            raise ValueError(f"actions are 0 to {self._n_actions - 1}, got {actions.tolist()}")
        opening = self._openings.open
        actions = np.where(opening, NOOP, actions)
        observation, *taken, info = self._games.step(actions)
        if self._pictures is not None:
            self._picture, *same, _ = self._pictures.step(actions)
            if not all(np.array_equal(a, b) for a, b in zip(taken, same, strict=True)):
                raise ValueError("the game in colour is no longer the game that is played")
        reward, terminated, truncated = (part * ~opening for part in taken)
        self._openings.step()
        if self._quick:  # the emulator has reset these lanes by itself
            self._openings.begin(self._over)
        self._over = terminated | truncated
        info = {**info, "opening": self._openings.open}
        return self._look(observation), reward, terminated, truncated, info

    def render(self) -> tuple[npt.NDArray[np.uint8], ...] | None:
        """The console's picture of each lane, ``(height, width, 3)``."""
        return None if self._pictures is None else tuple(self._picture[:, -1])

    def close_extras(self, **kwargs: Any) -> None:
        """Let the emulators and their threads go."""
        del self._games, self._pictures


def _games(settings: GameSettings, num_envs: int, **shape: Any) -> Any:
    from ale_py.vector_env import AtariVectorEnv

    return AtariVectorEnv(
        settings.game,
        num_envs,
        num_threads=settings.threads,
        autoreset_mode=AutoresetMode.NEXT_STEP,
        frameskip=settings.frame_skip,
        maxpool=True,
        noop_max=0 if settings.quick else settings.noop_max,
        use_fire_reset=settings.fire_on_reset,
        episodic_life=settings.episodic_life,
        reward_clipping=False,
        full_action_space=settings.full_action_space,
        repeat_action_probability=settings.repeat_action_probability,
        max_num_frames_per_episode=settings.max_episode_frames,
        **shape,
    )


def _full_size(settings: GameSettings, num_envs: int) -> Any:
    height, width = console(settings.game).getScreenDims()
    return _games(
        settings, num_envs, stack_num=1, grayscale=False, img_height=height, img_width=width
    )
