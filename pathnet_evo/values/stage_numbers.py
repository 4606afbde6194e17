"""How stages are counted: people count from 1, code and data (Python, JSON, SQL, TOML) from 0."""

from __future__ import annotations

import re


def stage_number(index: int) -> int:
    """A stage's number for people."""
    return index + 1


def stage_title(index: int, name: str) -> str:
    """A stage's number and name for people; names need not be unique."""
    return f"{stage_number(index)}. {name}"


def renumbered(text: str) -> str:
    """Text from a lineage, such as ``copies of stage 0``, for people."""
    return re.sub(r"\bstage (\d+)\b", lambda m: f"stage {stage_number(int(m[1]))}", text)
