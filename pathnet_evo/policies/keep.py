"""Keep: each task continues with the previous task's weights; the control ``fine-tuning``."""

from __future__ import annotations

from typing import ClassVar

from pathnet_evo.core.genotype import Path
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.interfaces.policies import Beginning, Grown, Start, TransferPolicy


class Keep(TransferPolicy):
    """Freeze nothing and re-initialise nothing; training overwrites earlier tasks."""

    remembers: ClassVar[bool] = True

    def begin(self, beginning: Beginning) -> tuple[list[Start], list[Grown]]:
        """Leave every module as it is."""
        return [], []

    def end(self, pool: ModulePool, path: Path) -> None:
        """Leave every module as it is."""
