"""What a task hears of frozen paths: computed, standardised, learned from, and never changed."""

import pytest
import torch
from torch.nn import functional

from pathnet_evo.core.columns import ENERGY, Columns
from pathnet_evo.core.head import TaskHead
from pathnet_evo.core.kinds import Conv2d, Linear, Residual
from pathnet_evo.core.modules import ModuleKind, ShapeError
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams

SHAPE = (2, 8, 8)
FIRST, SECOND = ((0, 1), (0, 1), (0, 1)), ((2, 3), (3, 4), (2, 4))
KINDS = {
    "linear": [Linear(units=5), Linear(units=4), Linear(units=3)],
    "conv": [
        Conv2d(channels=3, stride=2, padding=1),
        Conv2d(channels=2, padding=1),
        Linear(units=5),
    ],
    "residual": [Conv2d(channels=3, padding=1), Residual(units=3), Linear(units=4)],
}


@pytest.fixture(params=list(KINDS))
def listening(request):
    """A pool whose first path is frozen, and the head of a task that listens to it."""
    pool = ModulePool(KINDS[request.param], 5, SHAPE)
    pool.initialise(lambda layer: Streams(0).torch("init", layer))
    first = pool.head(3, Streams(0).torch("readout"))
    pool.freeze(FIRST)
    columns = Columns([0], [pool.network(FIRST, first)])
    head = TaskHead(pool.layers, pool.readout(4, Streams(1).torch("readout")), columns)
    head.fit(torch.randn(50, *SHAPE, generator=Streams(2).torch("x")))
    return pool, head


def by_hand(pool, head, x, lateral):
    """The second path's outputs, module by module, from torch's own layers alone."""
    heard, units = head.hear(x), x
    for i, (stack, modules) in enumerate(zip(pool.layers, SECOND, strict=True)):
        total = 0
        for m in modules:
            weight, bias = (stack.parameters[n][m] for n in ("weight", "bias"))
            if weight.dim() == 4:
                options = {
                    "stride": getattr(stack.kind, "stride", 1),
                    "padding": getattr(stack.kind, "padding", weight.shape[-1] // 2),
                }
                z = functional.conv2d(units, weight, bias, **options)
                if i:
                    z = z + functional.conv2d(heard[i - 1], lateral[i][m], **options)
            else:
                z = units.flatten(1) @ weight.T + bias
                if i:
                    z = z + heard[i - 1].flatten(1) @ lateral[i][m].T
            total = total + z.relu()
        units = total + units if isinstance(stack.kind, Residual) else total
    readout = head.readout.parameters
    return (
        units.flatten(1) @ readout["weight"][0].T
        + readout["bias"][0]
        + heard[-1].flatten(1) @ lateral[-1][0].T
    )


def drawn(head):
    """Random lateral maps, put into the head; as a list with None where nothing is heard."""
    generator = torch.Generator().manual_seed(3)
    for stack in head.laterals:
        if stack is not None:
            stack.parameters["weight"].normal_(generator=generator)
    return [None if s is None else s.parameters["weight"] for s in head.laterals]


def test_a_lease_and_a_network_hear_what_plain_layers_hear(listening):
    """Broken: what is trained, or what is shipped, would be another network than is meant."""
    pool, head = listening
    lateral, x = drawn(head), torch.randn(6, *SHAPE)
    expected = by_hand(pool, head, x, lateral)
    lease = pool.lease(SECOND, head)
    torch.testing.assert_close(lease.forward(x, head.hear(x)), expected, atol=1e-4, rtol=1e-4)
    network = pool.network(SECOND, head)
    torch.testing.assert_close(network(x), expected, atol=1e-4, rtol=1e-4)


def test_maps_begin_at_zero_and_get_gradients(listening):
    """Broken: a second task would begin disturbed by the first, or could not learn from it."""
    pool, head = listening
    x = torch.randn(6, *SHAPE)
    lease = pool.lease(SECOND, head)
    silent = [torch.zeros_like(units) for units in head.hear(x)]
    outputs = lease.forward(x, head.hear(x))
    torch.testing.assert_close(outputs, lease.forward(x, silent))
    outputs.square().sum().backward()
    maps = [stack for stack in lease.head.laterals if stack is not None]
    assert all(stack.parameters["weight"].grad.abs().sum() > 0 for stack in maps)


@pytest.mark.parametrize("energy", [ENERGY, 3.0])
def test_what_is_heard_is_standardised_on_the_tasks_inputs(listening, energy):
    """Broken: how fast a task learns from another would hang on the other's scale."""
    _, head = listening
    x = torch.randn(400, *SHAPE, generator=Streams(5).torch("x"))
    head.fit(x, energy=energy)
    for units, stack in zip(head.hear(x), head.laterals[1:], strict=True):
        by_unit = units.transpose(0, 1).flatten(1)
        torch.testing.assert_close(by_unit.mean(1), torch.zeros(len(by_unit)), atol=1e-3, rtol=0)
        fan = stack.parameters["weight"][0, 0].numel()
        assert float(by_unit.square().mean()) * fan == pytest.approx(energy, rel=1e-3)


def test_a_column_hears_its_own_columns(listening):
    """Broken: a third task would hear another second task than was learned."""
    pool, head = listening
    drawn(head)
    second, x = pool.network(SECOND, head), torch.randn(3, *SHAPE)
    units = second.units(x)
    outputs = second.kinds[-1].forward(
        second.kinds[-1].join(
            units[-1].unflatten(1, (2, -1)).sum(1) if units[-1].dim() == 2 else units[-1],
            head.hear(x)[-1],
        ),
        dict(second.layers[-1].items()),
    )
    torch.testing.assert_close(outputs.sum(1), second(x), atol=1e-4, rtol=1e-4)
    third = Columns([0, 1], [head.columns.networks[0], second])
    known = {}
    third.raw(x, known)
    assert len(known) == 2, "a path that two tasks listen to must be computed once"


def test_a_state_restores_the_head(listening):
    """Broken: a resumed run would hear its columns at another scale."""
    pool, head = listening
    drawn(head)
    kept = head.state()
    again = TaskHead(
        pool.layers,
        pool.readout(4, Streams(9).torch("readout")),
        Columns([0], list(head.columns.networks)),
    )
    again.restore(kept)
    x = torch.randn(3, *SHAPE)
    assert torch.equal(pool.network(SECOND, again)(x), pool.network(SECOND, head)(x))


def test_kinds_that_cannot_hear_are_refused():
    """Broken: a plugin's kind of module would end in a traceback, or silently hear nothing."""

    class Deaf(Linear):
        def lateral_shape(self, source, input_shape):
            return ModuleKind.lateral_shape(self, source, input_shape)

    pool = ModulePool([Linear(units=3), Deaf(units=3)], 4, (5,))
    pool.initialise(lambda layer: Streams(0).torch("init", layer))
    columns = Columns([0], [pool.network(((0,), (0,)), pool.head(2, Streams(0).torch("r")))])
    with pytest.raises(ShapeError, match="Deaf cannot hear frozen units"):
        TaskHead(pool.layers, pool.readout(2, Streams(0).torch("r")), columns)
