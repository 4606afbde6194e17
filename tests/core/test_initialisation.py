"""How modules begin."""

import pytest
import torch

from pathnet_evo.core.kinds import Conv2d, Linear
from pathnet_evo.core.pool import ModulePool


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        (Linear(units=6, initial="orthogonal"), (9,)),
        (Linear(units=6, initial="orthogonal"), (4,)),
        (Conv2d(channels=5, kernel=3, initial="orthogonal"), (2, 8, 8)),
    ],
)
def test_orthogonal_units(kind, shape):
    """Units would repeat one another from the start, or signals fade from layer to layer."""
    pool = ModulePool([kind], 3, shape)
    pool.initialise(lambda layer: torch.Generator().manual_seed(layer))
    parameters = pool.layers[0].parameters
    first, second, _ = (weight.flatten(1) for weight in parameters["weight"])
    wide = first if len(first) <= first.shape[1] else first.T
    torch.testing.assert_close(wide @ wide.T, 2 * torch.eye(len(wide)), atol=1e-5, rtol=1e-5)
    assert not torch.equal(first, second)
    assert not parameters["bias"].any()
