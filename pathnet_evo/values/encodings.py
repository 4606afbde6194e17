"""Texts that cannot be encoded: invalid UTF-8, and characters missing in a locale."""

from __future__ import annotations

import os

from pathnet_evo.values.names import on_one_line

NOT_TEXT = "not UTF-8 text, and cannot be recorded; choose another name"
SHOWN = 40
"""Characters to show on either side of one that cannot be encoded."""


def in_words(error: UnicodeEncodeError) -> str:
    """Why a text cannot be encoded, and the way out, as a sentence."""
    text = on_one_line(error.object[max(error.start - SHOWN, 0) : error.end + SHOWN])
    if not is_text(error.object):
        return f"{text}: {NOT_TEXT}"
    return (
        f"{text}: cannot be named in this locale ({error.encoding}); set LC_ALL=C.UTF-8 or "
        "PYTHONUTF8=1"
    )


def is_text(text: str) -> bool:
    """Whether a text can be encoded; bytes that are not UTF-8 appear as surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def typed(argument: str) -> str:
    """UTF-8 text from the command line, regardless of the locale."""
    try:
        return argument if is_text(argument) else os.fsencode(argument).decode("utf-8")
    except UnicodeError:
        return argument
