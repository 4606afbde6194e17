"""What a user may have meant by a name that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, names: Iterable[str]) -> str:
    """`` Did you mean "..."?`` or nothing."""
    near = difflib.get_close_matches(name, list(names), 1)
    return f'. Did you mean "{near[0]}"?' if near else ""
