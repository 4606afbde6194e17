"""Labyrinths as a task: the paper's third family (Fernando et al. 2017, section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from gymnasium.vector import VectorEnv
from pydantic import Field, model_validator

from pathnet_evo import EnvironmentTask, TaskContext, TaskError, TaskSettings, fingerprint
from pathnet_evo_labyrinth import dmlab
from pathnet_evo_labyrinth.actions import NAMES, REPEAT
from pathnet_evo_labyrinth.catalogue import UNSET, game, known
from pathnet_evo_labyrinth.requirements import require


class LabyrinthSettings(TaskSettings):
    """A first-person level: RGB images, and ten actions shared by all levels."""

    level: str = "seekavoid_arena"
    """``seekavoid_arena``, ``stairway_to_melon``, ``lt_chasm``, ``nav_maze``, ViZDoom's
    ``my_way_home``, ``health_gathering_supreme`` and ``deadly_corridor``, or a ``.toml`` file of
    your own."""
    engine: Literal["vizdoom", "dmlab"] = "vizdoom"
    """``dmlab`` plays DeepMind Lab's levels; it needs the module ``deepmind_lab``."""
    size: int | None = Field(None, ge=1, strict=True)
    """Height and width in pixels. Default: the pool's, or 84."""
    seconds: float | None = Field(None, gt=0, le=3600)
    """Maximum length of an episode. Default: the level's."""
    placement: Literal["fixed", "drawn"] = "fixed"
    """Positions of apples, lemons and melons: always the same, or sampled for each episode."""
    skill: int | None = Field(None, ge=1, le=5, strict=True)
    """Skill of opponents: their speed and aim. Default: 3, and 5 in ``deadly_corridor``."""
    arrangement: int = Field(0, ge=0, strict=True)
    """Seed of sampled placements and mazes. A level refuses options that it does not have."""
    shift: int = Field(110, ge=0, le=255, strict=True)
    """Subtracted from pixels 0 to 255 before scaling. The default is about the mean of the built-in
    levels, so that walls and floors are near 0."""
    workers: int = Field(0, ge=0, strict=True)
    """Processes that drive the engines; 0 for one per core. Results do not depend on it."""

    @model_validator(mode="after")
    def _known(self) -> LabyrinthSettings:
        if self.engine == "vizdoom":
            known(self.level)
            return self
        for option, unset in UNSET.items():
            if (value := getattr(self, option)) not in unset:
                raise TaskError(f'engine "dmlab" has no {option} ({value}): leave it out')
        return self

    def make(self, context: TaskContext) -> LabyrinthTask:
        """The level; observations are ``(3, height, width)`` uint8.

        Raises:
            TaskError: the level is wrong, the engine is missing, or the pool takes no pictures.
        """
        shape = context.input_shape
        if shape is not None and (len(shape) != 3 or shape[0] != 3):
            raise TaskError(
                f"a level provides images (3, height, width), but the pool takes {shape}. "
                "Set pool.input_shape=[3, 84, 84]"
            )
        _, height, width = shape or (3, 84, 84)
        size = (self.size or height, self.size or width)
        if self.engine == "dmlab":
            dmlab.require()
            steps, facts = None, fingerprint.package("deepmind_lab")
        else:
            require()
            played = self.game(size)
            level = fingerprint.content(played.identity)
            steps, facts = played.steps, {**fingerprint.package("vizdoom"), "level": level}
        return LabyrinthTask(
            name=self.level.replace("_", " "),
            observation_shape=(3, *size),
            n_actions=len(NAMES),
            shift=torch.tensor(float(self.shift)),
            scale=torch.tensor(1 / 255),
            frame_skip=REPEAT,
            max_episode_steps=steps,
            actions=NAMES,
            facts=facts,
            settings=self,
        )

    def game(self, size: tuple[int, int], pictures: bool = False) -> Any:
        """What the engine plays."""
        return game(
            self.level,
            size=size,
            seconds=self.seconds,
            placement=self.placement,
            skill=self.skill,
            seed=self.arrangement,
            pictures=pictures,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class LabyrinthTask(EnvironmentTask):
    """One level."""

    settings: LabyrinthSettings

    def make(
        self, num_envs: int, seeds: Sequence[int], *, render: bool = False
    ) -> VectorEnv[Any, Any, Any]:
        """So many players, each in a level of its own."""
        settings = self.settings
        size = self.observation_shape[1:]
        assert len(size) == 2
        if settings.engine == "dmlab":
            return dmlab.lanes(settings.level, num_envs, seeds, size, settings.seconds)
        from pathnet_evo_labyrinth.vector import LabyrinthVectorEnv

        played = settings.game(size, pictures=render)
        return LabyrinthVectorEnv(played, num_envs, seeds, settings.workers or None)
