"""What may be a name, wherever it is used, and how text from elsewhere is shown."""

from __future__ import annotations

import re

LONGEST_NAME = 100
"""Characters of a folder's name; in UTF-8 twice as many bytes."""
LONGEST_LABEL = 200
"""Characters of a name that is only shown."""

CONTROLS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
"""Controls, ends of lines and halves of characters, and what turns the direction of a text."""
CONTROLS_BUT_LINES = re.compile(CONTROLS.pattern.replace(r"\x00-\x1f", r"\x00-\x08\x0b-\x1f"))
"""The same without the end of a line, and tabs."""


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
    return CONTROLS_BUT_LINES.sub(_spelt, text)


def on_one_line(text: str) -> str:
    """The same where a text is to be one line: ends of lines are spelt out, too."""
    return CONTROLS.sub(_spelt, text)


def _unfit(text: str, longest: int) -> str | None:
    """Why a text cannot be a name of any kind."""
    if not text.strip():
        return "it is empty"
    if text != text.strip():
        return "no spaces at its ends"
    if len(text) > longest:
        return f"{longest} characters at most"
    bad = CONTROLS.search(text)
    return None if bad is None else f"no control characters such as {_spelt(bad)}"


def _spelt(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
