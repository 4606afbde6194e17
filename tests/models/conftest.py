"""Trained networks of every built-in kind, three stages deep, without a run."""

from __future__ import annotations

import pytest
import torch

from pathnet_evo.core.aggregate import AGGREGATES
from pathnet_evo.core.columns import Columns
from pathnet_evo.core.fitted import FittedReadout
from pathnet_evo.core.head import TaskHead
from pathnet_evo.core.kinds import Affine, Conv2d, Linear, Residual
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.signature import Signature
from pathnet_evo.models.info import NetworkInfo
from pathnet_evo.models.saving import described
from pathnet_evo.models.trained import TrainedNetwork

SHAPE = (2, 8, 8)
PATHS = (
    ((0, 1), (0, 1), (0, 1)),
    ((1, 3), (3,), (2, 4)),
    ((2, 3, 4), (2, 4), (3,)),
)
KINDS = {
    "linear": [Linear(units=5), Linear(units=4), Linear(units=3)],
    "convolution": [
        Conv2d(channels=3, stride=2, padding=1),
        Conv2d(channels=2, padding=1),
        Linear(units=5),
    ],
    "residual": [Conv2d(channels=3, padding=1), Residual(units=3), Residual(units=3)],
    "vectors": [Linear(units=4), Residual(units=4), Residual(units=4)],
}
NAMES = {Linear: "linear", Conv2d: "conv2d", Residual: "residual", Affine: "affine"}


def make(
    kind="linear",
    stages=3,
    mean=False,
    outputs=4,
    signature=None,
    shape=SHAPE,
    fitted=False,
    **about,
) -> TrainedNetwork:
    """The network of the last of some stages; each listens to all earlier ones."""
    pool = ModulePool(KINDS[kind], 5, shape, aggregate=AGGREGATES["mean" if mean else "sum"])
    pool.initialise(lambda layer: Streams(0).torch("init", layer))
    generator = Streams(0).torch("weights")
    networks = []
    for i, path in enumerate(PATHS[:stages]):
        readout = pool.readout(outputs, Streams(i).torch("readout"))
        columns = Columns(range(i), networks) if i else None
        head = TaskHead(pool.layers, readout, columns)
        head.fit(torch.randn(50, *shape, generator=generator))
        for stack in head.laterals:
            if stack is not None:
                stack.parameters["weight"].normal_(std=0.1, generator=generator)
        last = i == stages - 1
        if fitted and last:
            heard = head.hear(torch.randn(50, *shape, generator=generator))
            labels = torch.arange(50) % outputs
            columns.fitted = FittedReadout.fit([heard], labels, outputs)
            columns.fitted.weigh(torch.randn(50, outputs, generator=generator))
        shift, scale = (torch.full((shape[0], *[1] * (len(shape) - 1)), v) for v in (100.0, 0.01))
        normal = (shift, scale) if last else (None, None)
        networks.append(pool.network(path, head, *normal))
    network = networks[-1]
    signature = signature or Signature(
        outputs="classes", count=outputs, names=("ant", "bee", "cat", "dog"), input_type="uint8"
    )
    info = NetworkInfo(
        **{
            "pathnet_evo": "0.1.0",
            "run": "zoo",
            "arm": "pathnet",
            "seed": 0,
            "stage": stages - 1,
            "after": stages - 1,
            "name": "animals",
            "task": "folder",
            "scores": {"test_accuracy": 0.75},
            "input_shape": shape,
            "signature": signature,
            "aggregate": "mean" if mean else "sum",
            "networks": described(network, stages - 1, NAMES),
            **({"fitted": True, "format": 3} if fitted else {}),
            **about,
        }
    )
    return TrainedNetwork(network, info)


@pytest.fixture
def make_network():
    """Makes a network; see ``make``."""
    return make


@pytest.fixture(
    params=[
        *((kind, {}) for kind in KINDS),
        ("residual", {"mean": True}),
        ("convolution", {"fitted": True}),
    ],
    ids=str,
)
def network(request) -> TrainedNetwork:
    """A network of each kind, with sums and means, and with a fitted readout."""
    kind, options = request.param
    return make(kind, **options)


@pytest.fixture
def images() -> torch.Tensor:
    """Seven inputs."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(256, (7, *SHAPE), dtype=torch.uint8, generator=generator)
