"""What a user did wrong, told in a sentence, and that a user wants an end."""

from __future__ import annotations


class UserError(Exception):
    """Shown as it is, one line a problem, without a traceback; the command ends with status 2."""


class UserNotice(UserWarning):
    """What a user should know and nothing is stopped by; a command shows the sentence alone."""


class Stopped(KeyboardInterrupt):
    """A second signal: the process is to stop at once."""

    def __init__(self, signal: int) -> None:
        super().__init__(f"signal {signal}")
        self.signal = signal
