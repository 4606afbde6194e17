"""Residual modules against plain torch."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from pathnet_evo.core.aggregate import AGGREGATES
from pathnet_evo.core.kinds import Linear, Residual
from pathnet_evo.core.modules import ShapeError
from pathnet_evo.core.pool import ModulePool


def _pool(kinds, shape, mean=False):
    pool = ModulePool(kinds, 4, shape, aggregate=AGGREGATES["mean" if mean else "sum"])
    pool.initialise(lambda layer: torch.Generator().manual_seed(layer))
    return pool, pool.head(3, torch.Generator().manual_seed(9))


@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("frozen", [(), (2,), (0, 2)])
def test_a_layers_input_is_passed_on_once(mean: bool, frozen: tuple[int, ...]) -> None:
    """The input would be added once a module, or twice beside frozen ones, and blow up."""
    pool, head = _pool([Linear(units=5), Residual(units=5)], (6,), mean)
    pool.layers[1].freeze(frozen)
    path = ((1,), (0, 2))
    x = torch.randn(7, 6, generator=torch.Generator().manual_seed(1))
    first, second = (layer.parameters for layer in pool.layers)
    h = F.relu(x @ first["weight"][1].T + first["bias"][1])
    added = sum(F.relu(h @ second["weight"][m].T + second["bias"][m]) for m in path[1])
    h = h + (added / 2 if mean else added)
    expected = h @ head.readout.parameters["weight"][0].T + head.readout.parameters["bias"][0]
    lease = pool.lease(path, head)
    torch.testing.assert_close(lease.forward(x), expected)
    torch.testing.assert_close(pool.network(path, head)(x), expected)


def test_images_keep_their_size() -> None:
    """Residual layers on images would crop them, or mix up modules and channels."""
    pool, head = _pool([Residual(units=2, kernel=3)], (2, 5, 4))
    x = torch.randn(3, 2, 5, 4, generator=torch.Generator().manual_seed(1))
    weights = pool.layers[0].parameters
    h = x + sum(
        F.relu(F.conv2d(x, weights["weight"][m], weights["bias"][m], padding=1)) for m in (1, 3)
    )
    expected = (
        h.flatten(1) @ head.readout.parameters["weight"][0].T + head.readout.parameters["bias"][0]
    )
    torch.testing.assert_close(pool.network(((1, 3),), head)(x), expected)


def test_input_of_another_width_is_refused() -> None:
    """A residual layer after one of another width would fail deep inside torch."""
    with pytest.raises(ShapeError, match="residual modules of 4 units"):
        ModulePool([Linear(units=5), Residual(units=4)], 4, (6,))
