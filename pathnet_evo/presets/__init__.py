"""Presets: one TOML a published experiment, and demonstrations that take minutes."""

from __future__ import annotations

from importlib import resources
from typing import NamedTuple

from pathnet_evo.errors import UserError

EXPECT = "# Expect: "
"""Begins the line of a preset that says how long it takes and what comes out."""


class About(NamedTuple):
    """What a preset says of itself: what is learned, and what to expect."""

    learned: str
    expected: str


def names() -> list[str]:
    """The names of the presets."""
    folder = resources.files(__name__)
    return sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".toml"))


def read(name: str) -> str:
    """A preset's TOML.

    Raises:
        UserError: there is none of that name.
    """
    if name not in names():
        from pathnet_evo.values.suggestions import nearest

        guess = nearest(name, names()) or "."
        raise UserError(
            f'unknown preset "{name}"{guess} (have: {", ".join(names())}; or FILE.toml)'
        )
    return (resources.files(__name__) / f"{name}.toml").read_text(encoding="utf-8")


def about(name: str) -> About:
    """The first comment of a preset, and the one that begins with ``EXPECT``.

    Raises:
        UserError: there is none of that name.
    """
    lines = [line for line in read(name).splitlines() if line.startswith("# ")]
    first, expected = lines[0], next(line for line in lines if line.startswith(EXPECT))
    return About(first.removeprefix("# "), expected.removeprefix(EXPECT))
