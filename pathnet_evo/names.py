"""What may be a name, wherever it is used, and how text from elsewhere is shown."""

from __future__ import annotations

import re
import unicodedata

LONGEST_NAME = 100
"""Characters of a folder's name; in UTF-8 twice as many bytes."""
LONGEST_LABEL = 200
"""Characters of a name that is only shown."""

UNSHOWN = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode's categories of controls, halves of characters, and ends of lines."""
TURNING = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that change the direction of what follows them."""


def folder_name(text: str) -> str:
    """A name that can be part of a folder's: the run's, an arm's.

    Raises:
        ValueError: it is not one; the message says what a name may be.
    """
    reason = _unfit(text, LONGEST_NAME)
    if reason is None and re.search(r"[/\\]", text):
        reason = "no slashes"
    if reason is None and len(text.encode()) > 2 * LONGEST_NAME:
        reason = f"{2 * LONGEST_NAME} bytes at most"
    if reason is None and text.startswith((".", "~")):
        reason = f"no {text[0]!r} in front"
    if reason is not None:
        raise ValueError(f"not a folder's name ({reason})")
    return text


def label(text: str) -> str:
    """A name that is only shown, on one line: a stage's.

    Raises:
        ValueError: it is not one; the message says what a name may be.
    """
    reason = _unfit(text, LONGEST_LABEL)
    if reason is not None:
        raise ValueError(f"not a name ({reason})")
    return text


def visible(text: str) -> str:
    """Text from elsewhere as a terminal may have it: what controls a terminal is spelt out.

    Lines stay lines, and tabs tabs.
    """
    return "".join(c if c in "\n\t" or not _controls(c) else _spelt(c) for c in text)


def _unfit(text: str, longest: int) -> str | None:
    """Why a text cannot be a name of any kind."""
    if not text.strip():
        return "it is empty"
    if text != text.strip():
        return "no spaces at its ends"
    if len(text) > longest:
        return f"{longest} characters at most"
    bad = next((c for c in text if _controls(c)), None)
    return None if bad is None else f"no control characters such as {_spelt(bad)}"


def _controls(character: str) -> bool:
    return character in TURNING or unicodedata.category(character) in UNSHOWN


def _spelt(character: str) -> str:
    return character.encode("unicode_escape").decode()
