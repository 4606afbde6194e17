"""How stages are counted: people count from 1, code and data (Python, JSON, SQL, TOML) from 0."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import takewhile


def stage_number(index: int) -> int:
    """A stage's number for people."""
    return index + 1


def shared_name(names: Iterable[str], otherwise: str) -> str:
    """What all trials call a stage; if they drew different classes, what their names begin with.

    Args:
        names: of the trials that have begun it.
        otherwise: the name if there is none, or nothing is common to all.
    """
    different = list(dict.fromkeys(names))
    if len(different) == 1:
        return different[0]
    in_turn = zip(*(name.split() for name in different), strict=False)
    same = takewhile(lambda words: len({*words}) == 1, in_turn)
    return " ".join(words[0] for words in same) or otherwise


def stage_title(index: int, name: str) -> str:
    """A stage's number and name for people; names need not be unique."""
    return f"{stage_number(index)}. {name}"


def renumbered(text: str) -> str:
    """Text from a lineage, such as ``copies of stage 0``, for people."""
    return re.sub(r"\bstage (\d+)\b", lambda m: f"stage {stage_number(int(m[1]))}", text)
