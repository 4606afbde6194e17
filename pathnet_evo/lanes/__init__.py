"""Many paths through one pool at once: a forward pass and gradients for each of them."""

from __future__ import annotations

from pathnet_evo.lanes.layer import LaneLayer, totals
from pathnet_evo.lanes.network import Lanes
from pathnet_evo.lanes.widened import split

__all__ = ["LaneLayer", "Lanes", "split", "totals"]
