"""The exit statuses of commands, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum


class Status(IntEnum):
    """What a command's exit status says; after a signal, ``SIGNAL`` plus its number."""

    SUCCESS = 0
    FAILED = 1
    MISTAKE = 2
    SIGNAL = 128


MEANINGS: Mapping[Status, str] = {
    Status.SUCCESS: "success",
    Status.FAILED: "a trial failed, `check` found damage, `rm` was answered with no, or output "
    "could not be written",
    Status.MISTAKE: "a user's mistake, reported in one line each: an unknown option, a wrong "
    "configuration, a folder that is no run, a missing extra",
    Status.SIGNAL: "plus N: signal N ended the command; 130 is Ctrl-C, 143 `SIGTERM`",
}
"""What each status means, for the documentation."""
