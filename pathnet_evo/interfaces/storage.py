"""Where checkpoints lie: the little that a trial needs of it, so that it can run anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class ResumePoint:
    """A checkpoint that a trial can resume from.

    Args:
        place: where it lies, such as ``checkpoints/pathnet-0/stage-0``.
        manifest: the SHA-256 of its manifest.
    """

    place: str
    manifest: str


class Store(Protocol):
    """The checkpoints of one run; it is pickled and sent to where its trials run.

    What the files are, and whether they are what was written, is not its concern: they name each
    other by SHA-256.
    """

    @property
    def run(self) -> str:
        """The run's name."""

    def put(self, place: str, write: Callable[[Path], None]) -> None:
        """Keep a checkpoint's files; when this returns, they outlast a crash.

        Args:
            place: where; nothing lies there.
            write: puts all files into an empty folder of this machine. What it raises is raised,
                and nothing is kept.

        Raises:
            OSError: they cannot be kept; nothing is.
        """

    def get(self, place: str) -> Path:
        """A folder of this machine with a checkpoint's files; those of a trial lie side by side.

        Raises:
            OSError: they cannot be had.
        """
