"""Valid names, and safe display of untrusted text."""

from __future__ import annotations

import re

LONGEST_NAME = 100
"""Maximum characters of a folder name; twice as many bytes in UTF-8."""
LONGEST_LABEL = 200
"""Maximum characters of a display name."""

CONTROLS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
"""Control characters, line ends, surrogates, and bidirectional overrides."""
CONTROLS_BUT_LINES = re.compile(CONTROLS.pattern.replace(r"\x00-\x1f", r"\x00-\x08\x0b-\x1f"))
"""The same without line ends and tabs."""


def folder_name(text: str) -> str:
    """A name that can be part of a folder name: a run's, an arm's.

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
    """A display name on one line: a stage's.

    Raises:
        ValueError: it is not one; the message says what a name may be.
    """
    reason = _unfit(text, LONGEST_LABEL)
    if reason is not None:
        raise ValueError(f"not a name ({reason})")
    return text


def visible(text: str) -> str:
    """Untrusted text for a terminal, with control characters escaped.

    Lines stay lines, and tabs tabs.
    """
    return CONTROLS_BUT_LINES.sub(_spelt, text)


def on_one_line(text: str) -> str:
    """The same on one line: line ends are escaped too."""
    return CONTROLS.sub(_spelt, text)


def _unfit(text: str, longest: int) -> str | None:
    """Why a text is not a valid name."""
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
