"""Many paths at once against one plain network after another."""

import pytest
import torch

from pathnet_evo.core.aggregate import AGGREGATES
from pathnet_evo.core.columns import Columns
from pathnet_evo.core.head import TaskHead
from pathnet_evo.core.kinds import Conv2d, Linear, Residual
from pathnet_evo.core.lanes.lanes import Lanes
from pathnet_evo.core.lanes.layer import lane_totals
from pathnet_evo.core.lanes.widened import split_widened
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams

STEPS = 3
KINDS = {
    "linear": ([Linear(units=5), Linear(units=4)], (2, 3)),
    "convolutions": (
        [
            Conv2d(channels=3, kernel=8, stride=4),
            Conv2d(channels=2, kernel=4, stride=2),
            Conv2d(channels=2, kernel=3, stride=1),
            Linear(units=6),
        ],
        (2, 36, 44),
    ),
    "odd convolutions": (
        [
            Conv2d(channels=3, kernel=5, stride=2, padding=2),
            Conv2d(channels=2, kernel=2, stride=3, padding=1),
            Conv2d(channels=2, kernel=1, stride=1),
        ],
        (3, 13, 10),
    ),
}
PATHS = [((0, 2), (1,)), ((1,), (0, 1, 4)), ((0, 1, 2), (2, 3)), ((3,), (4,)), None]
FROZEN = {
    "nothing": ((), ()),
    "some": ((2,), (1, 4)),
    "a first layer": ((0, 1, 2, 3), ()),
    "all": ((0, 1, 2, 3), (0, 1, 2, 3, 4)),
}


def paths_of(layers):
    """``PATHS``, for pools of so many layers."""
    return [path and tuple(path[i % 2] for i in range(layers)) for path in PATHS]


@pytest.fixture(params=[(0, 0), (10**9, 10**9)], ids=["blocks and lanes", "patches and modules"])
def route(request, monkeypatch):
    """Have all convolutions computed in one way, and all linear layers."""
    block, few = request.param
    monkeypatch.setattr("pathnet_evo.core.lanes.blocks.SMALLEST", block)
    monkeypatch.setattr("pathnet_evo.core.lanes.linear.FEW", few)
    monkeypatch.setattr("pathnet_evo.core.lanes.linear.LARGE", 0)
    monkeypatch.setattr("pathnet_evo.core.lanes.linear.ROWS", 3)


@pytest.mark.usefixtures("route")
@pytest.mark.parametrize("at_once", [False, True], ids=["step by step", "all steps at once"])
@pytest.mark.parametrize("mean", [False, True], ids=["sum", "mean"])
@pytest.mark.parametrize("frozen", FROZEN)
@pytest.mark.parametrize("kinds", KINDS)
def test_lanes_are_plain_networks(kinds, frozen, mean, at_once, reference):
    """Broken: a lane would act, or learn, as another network than that of its path."""
    layers, shape = KINDS[kinds]
    pool = ModulePool(layers, 6, shape, aggregate=AGGREGATES["mean" if mean else "sum"])
    pool.initialise(lambda layer: Streams(0).torch("init", layer))
    for i, layer in enumerate(pool.layers):
        layer.freeze(FROZEN[frozen][i % 2])
    head = pool.head(4, Streams(0).torch("readout"))
    paths = paths_of(len(layers))
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(len(paths), STEPS, *shape, generator=generator)
    d = torch.randn(len(paths), STEPS, 4, generator=generator)
    lanes = Lanes(pool, head, paths, STEPS)
    outputs = torch.stack([lanes.forward(x[:, t], t) for t in range(STEPS)], 1)
    lanes.forward(x[:, 0])
    if at_once:
        torch.testing.assert_close(lanes.forward_steps(x, None), outputs)
    lanes.backward(d)
    norms = lanes.norms()
    for lane, path in enumerate(paths):
        if path is None:
            assert norms[lane] == 0
            continue
        plain = reference.PlainNetwork(pool, path, head)
        expected = plain(x[lane])
        torch.testing.assert_close(outputs[lane], expected)
        expected.backward(d[lane])
        squares = sum(float(p.grad.square().sum()) for p in plain.trainable())
        assert float(norms[lane]) == pytest.approx(squares**0.5, rel=1e-4)
        for layer, modules, plains in zip(
            lanes.layers, [*path, (0,)], [*plain.layers, [plain.readout]], strict=True
        ):
            slots = {int(m): s for s, m in enumerate(layer.modules[lane]) if layer.filled[lane, s]}
            assert set(slots) == set(modules)
            for m, module in zip(modules, plains, strict=True):
                for name, parameter in module.named_parameters():
                    if parameter.requires_grad:
                        found = layer.gradients[name][lane, slots[m]]
                        torch.testing.assert_close(found, parameter.grad, rtol=1e-4, atol=1e-5)
                    else:
                        assert slots[m] >= layer.n_trainable


DRAWN = torch.Generator().manual_seed(2)
CHANGES = {
    "nothing": (None, None),
    "numbers": (torch.tensor(3.0), torch.tensor(1 / 255)),
    "channels": (torch.tensor([100.0, 20.0]).view(2, 1, 1), torch.rand(2, 1, 1, generator=DRAWN)),
    "pixels": (
        100 * torch.rand(2, 20, 24, generator=DRAWN),
        torch.rand(24, generator=DRAWN),
    ),
}


@pytest.mark.usefixtures("route")
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_bytes_are_shifted_and_scaled(change, stride, reference):
    """Broken: a game's pixels would reach the network in another order or range."""
    shift, scale = CHANGES[change]
    pool = ModulePool([Conv2d(channels=3, kernel=4, stride=stride)], 4, (2, 20, 24))
    pool.initialise(lambda layer: Streams(0).torch("init", layer))
    head = pool.head(4, Streams(0).torch("readout"))
    paths = [((0, 2),), ((1, 2, 3),)]
    drawn = torch.Generator().manual_seed(0)
    x = torch.randint(256, (2, 2, 20, 24), dtype=torch.uint8, generator=drawn)
    outputs = Lanes(pool, head, paths, 0, shift, scale).forward(x)
    x = (x.float() - (0 if shift is None else shift)) * (1 if scale is None else scale)
    for lane, path in enumerate(paths):
        expected = reference.PlainNetwork(pool, path, head)(x[lane : lane + 1])[0]
        torch.testing.assert_close(outputs[lane], expected.detach(), rtol=1e-4, atol=1e-5)


class Wave(Linear):
    """A kind that no route knows, and that can hear columns."""

    lateral_shape = Linear.lateral_shape

    def forward(self, x, parameters):
        """The sine instead of a ReLU."""
        weight, bias = parameters["weight"], parameters["bias"]
        return torch.sin(torch.einsum("bi,noi->bno", x.flatten(1), weight) + bias)


@pytest.mark.parametrize("mean", [False, True], ids=["sum", "mean"])
def test_lanes_of_any_kind_are_leases(mean):
    """Broken: lanes would compute what the same path does not when it is leased."""
    pool = ModulePool(
        [Wave(units=5), Residual(units=5), Wave(units=4)],
        5,
        (3,),
        aggregate=AGGREGATES["mean" if mean else "sum"],
    )
    pool.initialise(lambda layer: Streams(0).torch("init", layer))
    pool.layers[1].freeze((2, 4))
    head = pool.head(4, Streams(0).torch("readout"))
    paths = paths_of(3)
    x, d = torch.randn(len(paths), STEPS, 3), torch.randn(len(paths), STEPS, 4)
    lanes = Lanes(pool, head, paths, STEPS)
    outputs = torch.stack([lanes.forward(x[:, t], t) for t in range(STEPS)], 1)
    lanes.backward(d)
    for lane, path in enumerate(paths[:-1]):
        lease = pool.lease(path, head)
        expected = lease.forward(x[lane])
        torch.testing.assert_close(outputs[lane], expected)
        expected.backward(d[lane])
        for layer, leased in zip(lanes.layers, lease.stacks, strict=True):
            for name, parameter in leased.parameters.items():
                found = layer.gradients[name][lane, : len(leased.trainable)]
                if len(leased.trainable):
                    torch.testing.assert_close(found, parameter.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("route")
@pytest.mark.parametrize("at_once", [False, True], ids=["step by step", "all steps at once"])
@pytest.mark.parametrize("kinds", [*KINDS, "residual"])
def test_lanes_that_listen_are_leases_that_listen(kinds, at_once):
    """Broken: a game's path would hear, or learn from, other than what its columns say."""
    odd = [Conv2d(channels=3), Residual(units=3), Wave(units=4)], (2, 6, 6)
    layers, shape = odd if kinds == "residual" else KINDS[kinds]
    pool = ModulePool(layers, 6, shape)
    pool.initialise(lambda layer: Streams(0).torch("init", layer))
    first = tuple(((5,), (4, 5))[i % 2] for i in range(len(layers)))
    pool.freeze(first)
    columns = Columns([0], [pool.network(first, pool.head(2, Streams(1).torch("readout")))])
    head = TaskHead(pool.layers, pool.readout(4, Streams(0).torch("readout")), columns)
    head.fit(torch.randn(20, *shape))
    for stack in head.laterals[1:]:
        weight = stack.parameters["weight"]
        weight[:4].normal_(std=0.1, generator=Streams(0).torch("maps"))
    paths = paths_of(len(layers))
    paths[0] = tuple((*modules, 5) for modules in paths[0])
    x, d = torch.randn(len(paths), STEPS, *shape), torch.randn(len(paths), STEPS, 4)
    lanes = Lanes(pool, head, paths, STEPS)
    outputs = torch.stack([lanes.forward(x[:, t], t) for t in range(STEPS)], 1)
    shares = slice(0, 2), slice(2, 5)
    parts = [Lanes(pool, head, paths, STEPS, part=part) for part in shares]
    apart = torch.cat([part.forward(x[s, 0]) for part, s in zip(parts, shares, strict=True)])
    same = torch.equal(apart, outputs[:, 0])
    if at_once:
        said = [lanes.hear(x[:, t]) for t in range(STEPS)]
        heard = [torch.stack(units, 1) for units in zip(*said, strict=True)]
        together = lanes.forward_steps(x, heard)
        torch.testing.assert_close(together, outputs)
        apart = [
            part.forward_steps(x[s], [units[s] for units in heard])
            for part, s in zip(parts, shares, strict=True)
        ]
        same = torch.equal(torch.cat(apart), together)
    lanes.backward(d)
    assert same or kinds == "residual", "the number of threads must change no number"
    for lane, path in enumerate(paths[:-1]):
        lease = pool.lease(path, head)
        expected = lease.forward(x[lane], head.hear(x[lane]))
        torch.testing.assert_close(outputs[lane], expected, rtol=1e-4, atol=1e-5)
        expected.backward(d[lane])
        for layer, leased in zip(lanes.layers, [*lease.layers, lease.head.readout], strict=True):
            n = len(leased.trainable)
            of = split_widened(layer.stack, {k: v[lane, :n] for k, v in layer.gradients.items()})
            for (_, found), part in zip(of, (leased, leased.lateral), strict=False):
                for name, parameter in part.parameters.items() if n else ():
                    torch.testing.assert_close(found[name], parameter.grad, rtol=1e-3, atol=1e-4)


def test_gradients_are_summed_by_module(reference):
    """Broken: a module that several lanes use would learn from one of them, or from idle lanes."""
    pool = ModulePool([Linear(units=4)] * 2, 5, (3,))
    pool.initialise(lambda layer: Streams(0).torch("init", layer))
    head = pool.head(2, Streams(0).torch("readout"))
    paths = [((0, 1), (2,)), ((1, 3), (2, 4)), ((1,), (0,)), None]
    weights = torch.tensor([0.5, 2.0, 0.0, 1.0])
    x, d = torch.randn(4, STEPS, 3), torch.randn(4, STEPS, 2)
    d[2] = torch.nan
    shares = slice(0, 1), slice(1, 4)
    parts = [Lanes(pool, head, paths, STEPS, part=part) for part in shares]
    for lanes, part in zip(parts, shares, strict=True):
        for t in range(STEPS):
            lanes.forward(x[part, t], t)
        lanes.backward(d[part])
    first, _, last = zip(*(lanes.layers for lanes in parts), strict=True)
    modules, counts, found = lane_totals(first, weights)
    assert modules.tolist() == [0, 1, 3]
    assert counts.tolist() == [1, 2, 1]
    expected = torch.zeros(5, 4, 3)
    for lane in (0, 1):
        plain = reference.PlainNetwork(pool, paths[lane], head)
        (plain(x[lane]) * d[lane] * weights[lane]).sum().backward()
        for m, module in zip(paths[lane][0], plain.layers[0], strict=True):
            expected[m] += module.weight.grad
    torch.testing.assert_close(found["weight"], expected[modules])
    assert lane_totals(last, weights)[1].tolist() == [2]


@pytest.mark.usefixtures("route")
@pytest.mark.parametrize("kinds", KINDS)
def test_idle_lanes_give_zeros(kinds):
    """Broken: a rollout that nobody plays in would end a run."""
    layers, shape = KINDS[kinds]
    pool = ModulePool(layers, 6, shape)
    pool.initialise(lambda layer: Streams(0).torch("init", layer))
    lanes = Lanes(pool, pool.head(4, Streams(0).torch("readout")), [None] * 3, 1)
    assert torch.equal(lanes.forward(torch.randn(3, *shape), 0), torch.zeros(3, 4))


def test_norms_do_not_depend_on_the_parts():
    """Broken: gradients are cut otherwise, and learn otherwise, on a machine with more cores."""
    pool = ModulePool([Linear(units=5)] * 8, 6, (7,))
    pool.initialise(lambda layer: Streams(0).torch("init", layer))
    head = pool.head(4, Streams(0).torch("readout"))
    paths = [tuple(((i + layer) % 6,) for layer in range(8)) for i in range(64)]
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(64, 7, generator=generator)
    d = torch.randn(64, 1, 4, generator=generator)

    def norms(part):
        lanes = Lanes(pool, head, paths, 1, part=part)
        lanes.forward(x[part], 0)
        lanes.backward(d[part])
        return lanes.norms()

    parts = [slice(0, 21), slice(21, 42), slice(42, 64)]
    assert torch.equal(torch.cat([norms(part) for part in parts]), norms(slice(None)))
