"""What a user may have meant by a name that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable


def did_you_mean(
    name: str, names: Iterable[str], most: int = 1, shown: Callable[[str], str] = str
) -> str:
    """`` Did you mean "..."?``, to follow a sentence; or nothing.

    Args:
        name: what was given.
        names: what is known.
        most: how many are suggested.
        shown: how one of ``names`` is written.
    """
    near = difflib.get_close_matches(name, list(names), most)
    meant = " or ".join(f'"{shown(each)}"' for each in near)
    return f" Did you mean {meant}?" if near else ""


def nearest(name: str, names: Iterable[str]) -> str:
    """The same to follow what is no sentence yet: ``. Did you mean "..."?``."""
    guess = did_you_mean(name, names)
    return f".{guess}" if guess else ""
