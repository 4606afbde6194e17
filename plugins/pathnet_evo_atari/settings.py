"""What can be said of a game of ale-py: which one, and how its pictures are prepared."""

from __future__ import annotations

from pydantic import Field, field_validator

from pathnet_evo import TaskSettings
from pathnet_evo_atari.games import find


class GameSettings(TaskSettings):
    """A game of ale-py: grey pictures, several at once, each the maximum of two frames."""

    game: str = "pong"
    """Which game: ``pong``, ``river-raid``, ``MsPacman``, ``ALE/Pong-v5``."""
    size: int | None = Field(None, ge=8, le=512, strict=True)
    """Height and width in pixels; nothing for those of the pool, or 84 where it has none."""
    frame_stack: int | None = Field(None, ge=1, le=64, strict=True)
    """How many pictures an observation holds, the latest last; nothing for the pool's channels,
    or 4."""
    frame_skip: int = Field(4, ge=1, le=64, strict=True)
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
