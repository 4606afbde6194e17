"""The transfer policy of arms that Avalanche's strategies learn."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from pathnet_evo import Beginning, Grown, ModuleKind, ModulePool, Path, Rival, Start
from pathnet_evo_avalanche.settings import RivalSettings


class Avalanche(RivalSettings):
    """A strategy of Avalanche learns the arm: same stream, network width, examples and schedule."""

    def begin(self, beginning: Beginning) -> tuple[list[Start], list[Grown]]:
        """Leave every module as it is: the rival has a network of its own."""
        return [], []

    def end(self, pool: ModulePool, path: Path) -> None:
        """Leave every module as it is."""

    def check(self, kinds: Sequence[ModuleKind]) -> None:
        """Refuse to start without Avalanche, or with layers that a rival cannot have."""
        if find_spec("avalanche") is None:
            raise ValueError(
                "Avalanche is not installed. Install it: pip install 'pathnet-evo[avalanche]'"
            )
        from pathnet_evo_avalanche.network import check_kinds

        check_kinds(kinds, self.method)

    def rival(self) -> Rival:
        """The strategy; nothing of Avalanche is imported before it learns."""
        from pathnet_evo_avalanche.rival import AvalancheRival

        return AvalancheRival(self)
