"""A run's configuration, as its folder keeps it."""

from __future__ import annotations

import math
import tomllib

from pathnet_evo import presets
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup.config import validate
from pathnet_evo.setup.resolving import resolve
from pathnet_evo.store.directory import resolved


def test_infinite_options_are_kept() -> None:
    """A run that is repeated from its folder would clip gradients that were not to be clipped."""
    data = tomllib.loads(presets.read("cartpole"))
    data["learner"]["max_grad_norm"] = math.inf
    kept = tomllib.loads(resolved(resolve(validate(data), Registry())))
    assert kept["learner"]["max_grad_norm"] == math.inf
    assert all(stage["learner"]["max_grad_norm"] == math.inf for stage in kept["stages"])
