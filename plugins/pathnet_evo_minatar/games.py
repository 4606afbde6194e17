"""The games of the package ``minatar``, without what it needs to draw them."""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from pathnet_evo import TaskError, did_you_mean

GAMES = ("asterix", "breakout", "freeway", "seaquest", "space_invaders")
ACTIONS = ("noop", "left", "up", "right", "down", "fire")
"""Every game takes these; some have no effect in some games."""
SIDE = 10
"""Height and width of the screen."""
MOST_PLANES = 10
"""Colour planes of Seaquest, which has the most."""


def find(asked: str) -> str:
    """The game that is meant: ``space-invaders``, ``SpaceInvaders`` or ``MinAtar/Breakout-v1``.

    Raises:
        LookupError: there is none.
    """
    short = re.sub(r"-v\d+$", "", asked.removeprefix("MinAtar/"))
    known = {_letters(name): name for name in GAMES}
    if _letters(short) in known:
        return known[_letters(short)]
    meant = did_you_mean(_letters(short), known, 1, known.__getitem__)
    raise LookupError(f'no game "{asked}" in MinAtar.{meant} (have: {", ".join(GAMES)})')


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def new(game: str, ramping: bool = True) -> Any:
    """A game: ``act``, ``state``, ``reset`` and the generator ``random``, as MinAtar has them.

    Raises:
        TaskError: MinAtar is not installed, or is another than is expected.
    """
    return _module(game).Env(ramping=ramping)


@cache
def _module(game: str) -> ModuleType:
    """A game's module, by its file: the package itself imports seaborn and pandas."""
    package = find_spec("minatar")
    if package is None or not package.submodule_search_locations:
        raise TaskError(
            "minatar needs MinAtar, which is not installed: pip install 'pathnet-evo[minatar]'"
        )
    file = Path(package.submodule_search_locations[0], "environments", f"{game}.py")
    spec = spec_from_file_location(f"minatar.environments.{game}", file)
    if spec is None or spec.loader is None or not file.is_file():
        raise TaskError(f"the installed minatar has no game {game}: pip install 'minatar>=1.0.15'")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def n_planes(game: str) -> int:
    """Colour planes of a game.

    Raises:
        TaskError: MinAtar is not installed.
    """
    return int(new(game).state_shape()[2])


def minimal_actions(game: str) -> tuple[int, ...]:
    """The actions that have an effect in a game.

    Raises:
        TaskError: MinAtar is not installed.
    """
    return tuple(int(action) for action in new(game).minimal_action_set())
