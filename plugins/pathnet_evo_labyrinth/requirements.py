"""Whether labyrinths can be played here."""

from __future__ import annotations

import importlib.util
import os

from pathnet_evo import TaskError


def require() -> None:
    """Whether there can be engines here.

    Raises:
        TaskError: vizdoom is not installed, or the system is another than Linux and macOS.
    """
    if importlib.util.find_spec("vizdoom") is None:
        raise TaskError(
            "labyrinth needs vizdoom, which is not installed: pip install 'pathnet-evo[labyrinth]'"
        )
    if os.name != "posix":
        raise TaskError("labyrinth runs on Linux and macOS: its engines are guarded by POSIX means")
