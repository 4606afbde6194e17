"""A run's folder on this machine as the store of its checkpoints."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pathnet_evo.store.lock import MOVED, Identity, is_in_place
from pathnet_evo.system.replacing import sync


@dataclass(frozen=True)
class Folder:
    """Checkpoints in a run's folder, each whole or not there.

    Args:
        path: the run's folder.
        lock: the lock that the run holds; nothing is written to a folder without it. None is a
            folder that nobody holds.
    """

    path: Path
    lock: Identity | None = None

    def __str__(self) -> str:
        return str(self.path)

    @property
    def run(self) -> str:
        """The folder's name."""
        return self.path.name

    def put(self, place: str, write: Callable[[Path], None]) -> None:
        """Write to ``place.tmp-PID``, sync all of it, rename it, and sync the folders above."""
        if self.lock is not None and not is_in_place(self.path, self.lock):
            raise FileNotFoundError(errno.ENOENT, MOVED, str(self.path))
        folder = self.path / place
        temporary = folder.with_name(f"{folder.name}.tmp-{os.getpid()}")
        renamed = False
        try:
            shutil.rmtree(temporary, ignore_errors=True)
            for parent in reversed(Path(place).parents[:-1]):  # but never the run's folder
                home = self.path / parent
                if not home.is_dir():
                    home.mkdir(exist_ok=True)
                    sync([home.parent])
            temporary.mkdir()
            write(temporary)
            sync([*temporary.iterdir(), temporary])
            os.replace(temporary, folder)
            renamed = True
            sync([folder.parent, folder.parent.parent])
        except OSError:
            if renamed:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def get(self, place: str) -> Path:
        """The folder itself."""
        return self.path / place
