"""Scratch: each task starts with fresh modules; the control ``independent``."""

from __future__ import annotations

from pathnet_evo.core.genotype import Path
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.interfaces.policies import Beginning, Grown, Start, TransferPolicy, redraw


class Scratch(TransferPolicy):
    """Re-initialise everything between stages; earlier networks are lost."""

    def begin(self, beginning: Beginning) -> tuple[list[Start], list[Grown]]:
        """Re-initialise every module."""
        redraw(beginning, keep_frozen=False)
        return [], []

    def end(self, pool: ModulePool, path: Path) -> None:
        """Nothing is kept."""

    def usable(self, stage: int, after: int) -> bool:
        """Only until the next stage begins."""
        return after <= stage
