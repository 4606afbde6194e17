"""What a user did wrong, told in a sentence."""

from __future__ import annotations


class UserError(Exception):
    """Shown as it is, one line a problem, without a traceback; the command ends with status 2."""
