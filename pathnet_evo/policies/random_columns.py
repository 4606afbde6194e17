"""Random columns: the control that separates transfer from mere width."""

from __future__ import annotations

from typing import ClassVar

from pathnet_evo.core.network import PathNetwork
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.policies import Beginning, Grown, Start
from pathnet_evo.policies.freeze import Freeze


class RandomColumns(Freeze):
    """As ``freeze``, but later tasks hear paths with random weights instead of the learned ones.

    This is the control of progressive networks (Rusu et al. 2016, section 5): no weight that an
    earlier task learned reaches a later one. Whether a task listens, and to how many paths, is
    decided as for ``freeze``, by a prior on the learned paths. It has no copies, and so none that
    are trained by sub-paths.
    """

    remembers: ClassVar[bool] = False

    def begin(self, beginning: Beginning) -> tuple[list[Start], list[Grown]]:
        """As ``freeze``, without copies."""
        fresh = Beginning(**{**vars(beginning), "initial_modules": "fresh"})
        return super().begin(fresh)

    def column(self, network: PathNetwork, stage: int, streams: Streams) -> PathNetwork:
        """The same path with random weights; it hears no columns."""
        return network.untrained(streams.torch("random-columns", stage))
