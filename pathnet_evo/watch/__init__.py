"""Watching runs in a browser while they work; nothing here writes to a run."""

from __future__ import annotations

from pathnet_evo.watch.runs import RunsFolder
from pathnet_evo.watch.server import application

__all__ = ["RunsFolder", "application"]
