"""The options of a game: which one, and how its frames are preprocessed."""

from __future__ import annotations

from math import ceil
from typing import Literal

from pydantic import Field, field_validator

from pathnet_evo import TaskSettings
from pathnet_evo_atari.games import KEEP_STATE, find
from pathnet_evo_atari.views import BACKGROUNDS, View


class GameSettings(TaskSettings):
    """A game of ale-py, as stacks of grey images, each the maximum of two frames."""

    game: str = "pong"
    """The game, such as ``pong``, ``river-raid``, ``MsPacman`` or ``ALE/Pong-v5``."""
    views: tuple[View, ...] = ()
    """Show the game otherwise, to make variants of it (the Pong Soup of Rusu et al. 2016): with a
    ``black`` or ``white`` background, at three quarters of its size (``zoom``), mirrored
    (``h-flip``, ``v-flip``), or under Gaussian noise that never changes (``noisy``)."""
    size: int | None = Field(None, ge=8, le=512, strict=True)
    """Height and width in pixels. Default: the pool's, or 84."""
    frame_stack: int | None = Field(None, ge=1, le=64, strict=True)
    """Images per observation, the latest last. Default: the pool's channels, or 4."""
    frame_skip: int = Field(4, ge=1, le=64, strict=True)
    """Emulator frames per step; the action is repeated. Budgets count these frames."""
    noop_max: int = Field(30, ge=0, strict=True)
    """An episode starts after a random number of no-op frames, fewer than this; quick resets draw
    whole steps."""
    resets: Literal["quick", "reload"] = "quick"
    """How an episode starts from its seed. ``quick`` draws only the no-ops from it; they are played
    as steps that count nothing. ``reload`` loads the game again with the seed, which takes 20 times
    as long; sticky actions need it, and games that keep state across resets, so they always do."""
    fire_on_reset: bool = True
    """Press fire at the start of an episode, if the game has that action."""
    episodic_life: bool = False
    """End the episode when a life is lost; the next episode is a new game."""
    full_action_space: bool = False
    """Use all 18 actions instead of the game's minimal set."""
    repeat_action_probability: float = Field(0.0, ge=0, lt=1)
    """Probability, per frame, that the emulator repeats the previous action (sticky actions)."""
    max_episode_frames: int = Field(108_000, ge=1, strict=True)
    """Emulator frames after which an episode is truncated; half an hour of play."""
    shift: int | None = Field(None, ge=0, le=255, strict=True)
    """Subtracted from grey values 0 to 255 before scaling. Default: the game's background, so that
    it becomes 0 and moving objects stand out."""
    threads: int = Field(0, ge=0, strict=True)
    """Emulator threads; 0 for one per core. Results do not depend on it."""

    @property
    def quick(self) -> bool:
        """Whether episodes start without loading the game again."""
        sticky = self.repeat_action_probability > 0
        return self.resets == "quick" and not sticky and self.game not in KEEP_STATE

    @property
    def n_openings(self) -> int:
        """How many openings quick resets draw from: 0 steps, 1 step, ..., less than an episode."""
        return max(ceil(min(self.noop_max, self.max_episode_frames) / self.frame_skip), 1)

    @field_validator("views")
    @classmethod
    def _distinct(cls, views: tuple[View, ...]) -> tuple[View, ...]:
        if len(set(views)) < len(views) or len(BACKGROUNDS.keys() & set(views)) > 1:
            raise ValueError("each view at most once, and at most one of black and white")
        return views

    @field_validator("game")
    @classmethod
    def _known(cls, game: str) -> str:
        try:
            return find(game)
        except LookupError as error:
            raise ValueError(str(error)) from None
