"""The games that ale-py brings, by the names that people write."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pathnet_evo import did_you_mean

HERTZ = 60
"""Frames that the console shows a second."""
SHOWN = 3
"""Names offered for one that does not exist."""
TWO_PLAYERS = frozenset({"combat", "joust", "maze_craze", "warlords"})
"""Games that cannot be played alone."""
KEEP_STATE = frozenset({
    "assault", "backgammon", "beam_rider", "berzerk", "boxing", "chopper_command", "crossbow",
    "demon_attack", "elevator_action", "entombed", "fishing_derby", "freeway", "frostbite",
    "hangman", "haunted_house", "hero", "ice_hockey", "kaboom", "krull", "kung_fu_master",
    "miniature_golf", "pitfall2", "pooyan", "private_eye", "seaquest", "sir_lancelot", "solaris",
    "space_war", "surround", "tennis", "time_pilot", "venture", "yars_revenge",
})  # fmt: skip
"""Games whose start depends on the memory before it, or on a timer that it sets at
random: found by resets after random play, and after filling the memory at random."""


def games() -> list[str]:
    """The names of all games for one player, such as ``ms_pacman``."""
    from ale_py import roms

    return sorted(set(roms.get_all_rom_ids()) - TWO_PLAYERS)


def find(asked: str) -> str:
    """The game that is meant: ``pong``, ``river-raid``, ``MsPacman`` or ``ALE/Pong-v5``.

    Raises:
        LookupError: there is none; the message lists the nearest.
    """
    known = {_letters(name): name for name in games()}
    short = re.sub(r"(Deterministic|NoFrameskip)?-v\d+$", "", asked.removeprefix("ALE/"))
    if _letters(short) in known:
        return known[_letters(short)]
    meant = did_you_mean(_letters(short), known, SHOWN, known.__getitem__)
    raise LookupError(
        f'no single-player game "{asked}" in ale-py.{meant} (have {len(known)}, such as alien, '
        "ms_pacman, pong)"
    )


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def cartridge(game: str) -> Path:
    """The file of a game.

    Raises:
        OSError: it is not there, or is another one.
    """
    from ale_py import roms

    path = roms.get_rom_path(game)
    if path is None:
        raise FileNotFoundError(game)
    return Path(path)


def console(game: str) -> Any:
    """The console with a game in it, to ask what the game is like.

    Raises:
        OSError: the game's file is not there, or is another one.
    """
    from ale_py import ALEInterface, LoggerMode

    path = cartridge(game)
    ALEInterface.setLoggerMode(LoggerMode.Error)
    found = ALEInterface()
    found.loadROM(path)
    return found


@cache
def background(game: str) -> int:
    """The grey, 0 to 255, that most of a game's screen has after its first second."""
    from ale_py import Action

    asked = console(game)
    for _ in range(HERTZ):
        asked.act(Action.NOOP)
    return int(np.bincount(asked.getScreenGrayscale().ravel()).argmax())


@cache
def action_names(game: str, full: bool) -> tuple[str, ...]:
    """The names of a game's actions, in order, or those of the whole console."""
    asked = console(game)
    known = asked.getLegalActionSet() if full else asked.getMinimalActionSet()
    return tuple(action.name.lower() for action in known)
