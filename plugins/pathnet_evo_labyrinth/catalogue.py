"""The levels that there are, by name, and how they become what an engine plays."""

from __future__ import annotations

import json
from collections.abc import Set
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Literal

import numpy as np

from pathnet_evo import did_you_mean
from pathnet_evo_labyrinth.game import SCENARIOS, Game, of_level, of_scenario
from pathnet_evo_labyrinth.level import EDIBLE, Level, LevelError, drawn, load, read
from pathnet_evo_labyrinth.mazes import nav_maze

DESCRIBED = ("lt_chasm", "seekavoid_arena", "stairway_to_melon")
"""Levels of ours that a file in ``levels/`` describes."""
LEVELS = (*DESCRIBED, "nav_maze", *SCENARIOS)
"""All levels that have a name."""
ARRANGEMENTS = 64
"""Layouts of a level whose things are drawn."""
UNSET = {"placement": ("fixed",), "skill": (None, 3), "arrangement": (0,)}
"""Values that ask for nothing; earlier configurations spell out ``skill = 3``."""
LACK = {
    "placement": "none of its things can be placed at random",
    "skill": "it has no opponents",
    "arrangement": "nothing in it is sampled",
}
"""Why a level does not have an option."""
Placement = Literal["fixed", "drawn"]


def known(name: str) -> None:
    """Whether there is such a level; a file of a user's own ends in ``.toml``.

    Raises:
        LevelError: there is none.
    """
    if name in LEVELS or name.endswith(".toml"):
        return
    guess = did_you_mean(name, LEVELS)
    raise LevelError(
        f"unknown level {name!r}.{guess} (have: {', '.join(sorted(LEVELS))}, or a file that ends "
        "in .toml)"
    )


def level(
    name: str,
    *,
    placement: Placement = "fixed",
    skill: int | None = None,
    seed: int = 0,
) -> Level:
    """A level of ours, or of a user's file.

    Args:
        name: its name, or a file that ends in ``.toml``.
        placement: positions of edible things: as described, or sampled for every episode.
        skill: of opponents, 1 to 5; nothing for the level's own.
        seed: of what is drawn.

    Raises:
        LevelError: there is none, its description is wrong, or it does not have such an option.
    """
    known(name)
    if name == "nav_maze":
        _check(name, {"arrangement"}, placement=placement, skill=skill, arrangement=seed)
        return nav_maze(seed=seed)
    if name.endswith(".toml"):
        found = load(Path(name))
    else:
        text = files("pathnet_evo_labyrinth").joinpath("levels", f"{name}.toml").read_text("utf-8")
        found = read(text, name)
    has = _options(found, placement)
    _check(name, has, placement=placement, skill=skill, arrangement=seed)
    found = replace(found, skill=found.skill if skill is None else skill)
    if placement == "drawn":
        found = drawn(found, ARRANGEMENTS, np.random.default_rng(seed))
    return found


def game(
    name: str,
    *,
    size: tuple[int, int] = (84, 84),
    seconds: float | None = None,
    placement: Placement = "fixed",
    skill: int | None = None,
    seed: int = 0,
    pictures: bool = False,
) -> Game:
    """Any level, ready to be played.

    Args:
        name: its name, or a file that ends in ``.toml``.
        size: height and width of observations.
        seconds: how long an episode may be; nothing for the level's own length.
        placement: see ``level``.
        skill: see ``level``.
        seed: see ``level``.
        pictures: whether whole pictures are wanted besides observations.

    Raises:
        LevelError: there is none, its description is wrong, it does not have such an option, or it
            cannot be kept in the cache.
        TaskError: vizdoom is not installed, or the engine has no such pictures.
    """
    known(name)
    if name in SCENARIOS:
        has = {"skill"} if SCENARIOS[name].opponents else set()
        _check(name, has, placement=placement, skill=skill, arrangement=seed)
        return of_scenario(name, size, seconds, pictures, skill)
    found = level(name, placement=placement, skill=skill, seed=seed)
    return of_level(found, size, seconds, pictures)


def _options(level: Level, placement: Placement) -> set[str]:
    """The options that do something in a level of cells."""
    kinds = {thing.kind for layout in level.layouts for thing in layout.things}
    does = {
        "skill": level.armed,
        "placement": not kinds.isdisjoint(EDIBLE),
        "arrangement": placement == "drawn",
    }
    return {option for option, found in does.items() if found}


def _check(name: str, has: Set[str], **given: object) -> None:
    """Refuse an option that a level does not have, rather than ignore it.

    Raises:
        LevelError: the first one that is set.
    """
    for option, value in given.items():
        if option in has or value in UNSET[option]:
            continue
        could = option == "arrangement" and "placement" in has
        way = ', or set placement = "drawn"' if could else ""
        raise LevelError(
            f"level {name}: {option} = {json.dumps(value)} would do nothing: {LACK[option]}. "
            f"Leave it out{way}"
        )
