"""Checkpoint storage: the minimal interface that lets a trial run anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class ResumePoint:
    """A checkpoint that a trial can resume from.

    Args:
        place: its location, such as ``checkpoints/pathnet-0/stage-0``.
        manifest: the SHA-256 of its manifest.
    """

    place: str
    manifest: str


class Store(Protocol):
    """The checkpoints of one run; pickled and sent to wherever trials run.

    A store does not verify files: they refer to each other by SHA-256.
    """

    @property
    def run(self) -> str:
        """The run's name."""

    def put(self, place: str, write: Callable[[Path], None]) -> None:
        """Store a checkpoint's files durably.

        Args:
            place: an unused location.
            write: writes all files into an empty local folder. Its exceptions propagate, and
                nothing is stored.

        Raises:
            OSError: the files cannot be stored; none are.
        """

    def get(self, place: str) -> Path:
        """A local folder with a checkpoint's files, beside those of the same trial.

        Raises:
            OSError: they cannot be retrieved.
        """
