"""Random columns: the control that tells what is transferred from what is merely wider."""

from __future__ import annotations

from pathnet_evo.core.network import PathNetwork
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.policies import Beginning, Grown, Start
from pathnet_evo.policies.freeze import Freeze


class RandomColumns(Freeze):
    """As ``freeze``, but later tasks hear paths of random weights in place of the learned ones.

    As progressive networks were controlled (Rusu et al. 2016, section 5): nothing of what an
    earlier task has learned reaches a later one, and all else is the same.
    """

    def begin(self, beginning: Beginning) -> tuple[list[Start], list[Grown]]:
        """As ``freeze``, without copies."""
        fresh = Beginning(**{**vars(beginning), "initial_modules": "fresh"})
        return super().begin(fresh)

    def column(self, network: PathNetwork, stage: int, streams: Streams) -> PathNetwork:
        """The same path, its weights drawn again; it listens to nobody."""
        return network.untrained(streams.torch("random-columns", stage))
