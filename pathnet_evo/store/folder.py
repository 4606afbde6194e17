"""A run's folder on this machine as the store of its checkpoints."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Folder:
    """Checkpoints in a run's folder, each whole or not there.

    Args:
        path: the run's folder.
    """

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def run(self) -> str:
        """The folder's name."""
        return self.path.name

    def put(self, place: str, write: Callable[[Path], None]) -> None:
        """Write to ``place.tmp-PID``, sync all of it, rename it, and sync the folders above."""
        folder = self.path / place
        temporary = folder.with_name(f"{folder.name}.tmp-{os.getpid()}")
        renamed = False
        try:
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir(parents=True)
            write(temporary)
            _sync([*temporary.iterdir(), temporary])
            os.replace(temporary, folder)
            renamed = True
            _sync([folder.parent, folder.parent.parent])
        except OSError:
            if renamed:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def get(self, place: str) -> Path:
        """The folder itself."""
        return self.path / place


def _sync(paths: Iterable[Path]) -> None:
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
