"""The environments that Gymnasium knows by name, and what is said of others."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import gymnasium

from pathnet_evo import did_you_mean

WRAPPERS = ("GymV21Environment-v0", "GymV26Environment-v0")
"""Ids that stand for environments of another package, which they would import by name."""
SHOWN = 3
"""Names offered for one that does not exist."""


def registered(name: str) -> str:
    """The name, where an environment is registered under it.

    Raises:
        ValueError: none is; the message says what to do.
    """
    known = [known for known in gymnasium.registry if known not in WRAPPERS]
    if ":" in name:
        raise ValueError(
            "a module to import cannot be named here: load a plugin that registers the "
            "environment (--plugin FILE.py)"
        )
    if name in known:
        return name
    if _is_atari(name):
        raise ValueError(
            f'games of Atari are the task atari: task = {{ name = "atari", game = "{name}" }}'
        )
    meant = did_you_mean(name, known, SHOWN)
    raise ValueError(f"no such environment is registered with Gymnasium.{meant}")


def _is_atari(name: str) -> bool:
    """Whether ale-py would register it; it is not imported, as that registers all of them."""
    if name.startswith("ALE/"):
        return True
    game = re.sub(r"(Deterministic|NoFrameskip)?-v\d+$", "", name).lower()
    return game != name.lower() and game in _atari_games()


def _atari_games() -> set[str]:
    spec = find_spec("ale_py")
    folders = [] if spec is None else spec.submodule_search_locations or []
    files = [file for folder in folders for file in Path(folder, "roms").glob("*.bin")]
    return {file.stem.replace("_", "") for file in files}
