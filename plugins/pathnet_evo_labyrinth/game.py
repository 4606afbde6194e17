"""What the engines play: one of our levels or one of ViZDoom's own, with its rules."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pathnet_evo import TaskError
from pathnet_evo_labyrinth.actions import ACTIONS, BUTTONS, REPEAT
from pathnet_evo_labyrinth.actors import SLOTS, TICS
from pathnet_evo_labyrinth.build import built, map_name
from pathnet_evo_labyrinth.level import Layout, Level, Over
from pathnet_evo_labyrinth.requirements import require

SCREENS = ((120, 160), (240, 320), (480, 640), (600, 800), (768, 1024), (960, 1280), (1200, 1600))
"""Pictures that the engine can give, height and width; their pixels are square."""
PLACE = ("POSITION_X", "POSITION_Y", "POSITION_Z", "ANGLE", "HEALTH", "ARMOR")
"""Variables of the player that every game has, after what it counts."""


@dataclass(frozen=True)
class Game:
    """All that an engine and the rules need.

    Args:
        name: the level's name.
        wad: the file with its maps.
        maps: an episode takes one of them.
        counted: what the first variables count.
        rewards: what each thing that is counted gives.
        over: what ends an episode before its time.
        steps: steps of the agent after which an episode is cut off.
        size: height and width of an observation.
        skill: of the engine, 1 to 5.
        start: the engine's steps that are skipped as an episode begins.
        living: what each of the engine's steps gives.
        death: what dying costs.
        pictures: whether whole pictures are wanted besides observations.
        layouts: of each map, where the level is one of ours.
    """

    name: str
    wad: Path
    maps: tuple[str, ...]
    steps: int
    size: tuple[int, int]
    counted: tuple[str, ...] = ()
    rewards: Mapping[str, float] | None = None
    over: Over | None = None
    skill: int = 3
    start: int = 1
    living: float = 0.0
    death: float = 0.0
    pictures: bool = False
    layouts: tuple[Layout, ...] = ()

    @property
    def observation(self) -> tuple[int, int]:
        """Height and width of what an agent sees."""
        return self.size

    @property
    def screen(self) -> tuple[int, int]:
        """Height and width of what the engine draws: the smallest that holds an observation."""
        return screen(self.size)

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """The engine's variables that are read at every step."""
        return (*(f"AMMO{slot}" for slot in SLOTS[: len(self.counted)]), *PLACE)

    @property
    def identity(self) -> bytes:
        """The maps and the rules: equal for games that are played alike."""
        rules = (self.maps, self.counted, dict(self.rewards or {}), self.over, self.steps)
        engine = (self.skill, self.start, self.living, self.death)
        return repr((rules, engine)).encode() + self.wad.read_bytes()

    def spec(self, lanes: int) -> dict[str, Any]:
        """What all workers of so many lanes are told."""
        return {
            "name": self.name,
            "wad": str(self.wad),
            "maps": self.maps,
            "lanes": lanes,
            "tics": REPEAT,
            "actions": [action.pressed for action in ACTIONS],
            "buttons": BUTTONS,
            "variables": self.variables,
            "screen": self.screen,
            "observation": self.observation,
            "pictures": self.pictures,
            "render": [],
            "skill": self.skill,
            "start": self.start,
            "living": self.living,
            "death": self.death,
        }


def screen(size: tuple[int, int]) -> tuple[int, int]:
    """The smallest picture of the engine that holds an observation.

    Raises:
        TaskError: there is none.
    """
    for height, width in SCREENS:
        if 8 <= size[0] <= height and 8 <= size[1] <= width:
            return height, width
    raise TaskError(
        f"observations of {size[0]} x {size[1]} pixels cannot be given: "
        f"from 8 x 8 to {SCREENS[-1][0]} x {SCREENS[-1][1]}"
    )


def of_level(
    level: Level, size: tuple[int, int], seconds: float | None = None, pictures: bool = False
) -> Game:
    """One of our levels, built if need be.

    Raises:
        LevelError: it cannot be kept in the cache.
        TaskError: the engine has no such pictures.
    """
    screen(size)
    return Game(
        level.name,
        built(level),
        tuple(map_name(i) for i in range(len(level.layouts))),
        math.ceil((seconds or level.seconds) * TICS / REPEAT),
        size,
        level.counted,
        level.rewards,
        level.over,
        pictures=pictures,
        layouts=level.layouts,
    )


@dataclass(frozen=True)
class _Own:
    """One of ViZDoom's scenarios, as the file beside it describes it."""

    tics: int
    skill: int
    start: int = 1
    living: float = 0.0
    death: float = 0.0
    opponents: bool = False


SCENARIOS = {
    "my_way_home": _Own(tics=2100, skill=5, start=10, living=-0.0001),
    "health_gathering_supreme": _Own(tics=2100, skill=3, living=1.0, death=100.0),
    "deadly_corridor": _Own(tics=2100, skill=5, death=100.0, opponents=True),
}
"""Levels that come with ViZDoom, with the rewards and lengths of their own."""


def of_scenario(
    name: str,
    size: tuple[int, int],
    seconds: float | None = None,
    pictures: bool = False,
    skill: int | None = None,
) -> Game:
    """One of ViZDoom's own levels, at its own skill where nothing is said.

    Raises:
        TaskError: vizdoom is not installed, or has no such pictures.
    """
    import importlib.util

    require()
    screen(size)
    own = SCENARIOS[name]
    found = importlib.util.find_spec("vizdoom")
    assert found is not None
    assert found.origin is not None
    tics = own.tics if seconds is None else seconds * TICS
    return Game(
        name,
        Path(found.origin).parent / "scenarios" / f"{name}.wad",
        ("map01",),
        math.ceil(tics / REPEAT),
        size,
        skill=skill if own.opponents and skill is not None else own.skill,
        start=own.start,
        living=own.living,
        death=own.death,
        pictures=pictures,
    )
