import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.nn.init import kaiming_uniform_

from pathnet_evo.core.genotype import PathError
from pathnet_evo.core.kinds import Conv2d, Linear, Residual
from pathnet_evo.core.modules import ShapeError
from pathnet_evo.core.pool import ModulePool

PATH = ((0, 2, 5), (1, 4))


@pytest.mark.parametrize("mean", [False, True], ids=["sum", "mean"])
@pytest.mark.parametrize("kinds", ["linear", "conv", "mixed"])
def test_a_leased_path_learns_as_plain_modules_do(make_pool, reference, kinds, mean):
    """Broken: users would train another network than the one the paper describes."""
    pool, head = make_pool(kinds, mean=mean)
    pool.freeze(((2,), (4,)))
    plain = reference.PlainNetwork(pool, PATH, head)
    x = torch.randn(7, 2, 6, 6, generator=torch.Generator().manual_seed(1))
    y = torch.arange(7) % 3
    lease = pool.lease(PATH, head)
    torch.testing.assert_close(lease.forward(x), plain(x))
    for forward, parameters in (
        (lease.forward, lease.parameters()),
        (plain, plain.trainable()),
    ):
        optimizer = torch.optim.SGD(parameters, 0.1)
        cross_entropy(forward(x), y).backward()
        optimizer.step()
    pool.commit(lease)
    reference.assert_same_weights(plain, pool, PATH, head)


@pytest.mark.parametrize("mean", [False, True], ids=["sum", "mean"])
@pytest.mark.parametrize("kinds", ["linear", "conv", "mixed"])
def test_the_kept_network_is_the_path(make_pool, reference, kinds, mean):
    """Broken: what is kept of a task would answer otherwise than what was trained."""
    pool, head = make_pool(kinds, mean=mean)
    x = torch.randint(256, (5, 2, 6, 6), dtype=torch.uint8)
    shift, scale = torch.full((2, 1, 1), 100.0), torch.full((2, 1, 1), 0.01)
    network = pool.network(PATH, head, shift, scale)
    plain = reference.PlainNetwork(pool, PATH, head)
    torch.testing.assert_close(network(x), plain((x.float() - 100) * 0.01))
    before = network(x)
    for values in pool.layers[0].parameters.values():
        values.zero_()
    assert torch.equal(network(x), before), "a kept network must not share the pool's memory"


def test_modules_start_as_torch_starts_them():
    """Broken: published learning rates would not carry over to these layers."""
    pool = ModulePool([Conv2d(channels=64, kernel=3), Linear(units=64)], 8, (3, 8, 8))
    pool.initialise(lambda layer: torch.Generator().manual_seed(layer))
    for stack, inputs in zip(pool.layers, (27, 64 * 36), strict=True):
        bound = inputs**-0.5
        weight = stack.parameters["weight"]
        assert weight.abs().max() <= bound
        assert weight.std() == pytest.approx(bound / 3**0.5, rel=0.05)


@pytest.mark.parametrize("kind", [Conv2d, Linear, Residual])
def test_modules_start_as_he_starts_them(kind):
    """Broken: signals would fade on their way through a deep network, or explode."""
    pool = ModulePool([kind(initial="he")], 3, {Residual: (20,)}.get(kind, (4, 9, 9)))
    pool.initialise(lambda layer: torch.Generator().manual_seed(5))
    generator = torch.Generator().manual_seed(5)
    for weight in pool.layers[0].parameters["weight"]:
        expected = torch.empty_like(weight)
        kaiming_uniform_(expected, nonlinearity="relu", generator=generator)
        torch.testing.assert_close(weight, expected)
    assert not pool.layers[0].parameters["bias"].any()


@pytest.mark.parametrize("path", [((0,),), ((0,), ()), ((0,), (6,)), ((-1,), (0,))])
def test_a_path_that_the_pool_does_not_have_is_refused(make_pool, path):
    """Broken: a wrong index would silently train another module."""
    pool, head = make_pool()
    for use in (pool.lease, pool.network):
        with pytest.raises(PathError):
            use(path, head)


@pytest.mark.parametrize("shape", [(12,), (2, 1, 1)])
def test_inputs_that_do_not_fit_a_layer_are_refused(shape):
    """Broken: a user would see torch's message from the middle of a run."""
    with pytest.raises(ShapeError):
        ModulePool([Conv2d(kernel=3)], 2, shape)


def test_a_genotype_that_repeats_a_gene_uses_the_module_once(make_pool, reference):
    """Broken: duplicated genes would count twice in the sum, a trap of re-implementations."""
    pool, head = make_pool()
    x = torch.randn(3, 2, 6, 6)
    lease = pool.lease(pool.active([[3, 3, 3], [5, 1, 5]], always_active=False), head)
    plain = reference.PlainNetwork(pool, ((3,), (1, 5)), head)
    torch.testing.assert_close(lease.forward(x), plain(x))


def test_frozen_modules_are_in_every_path_where_wanted(make_pool):
    """Broken: ``always_active`` would do nothing."""
    pool, _ = make_pool()
    pool.freeze(((0, 4), (2,)))
    assert pool.active([[1, 4], [3, 3]], always_active=True) == ((0, 1, 4), (2, 3))
    assert pool.active([[1, 4], [3, 3]], always_active=False) == ((1, 4), (3,))


def test_a_network_is_shown_in_one_line_and_as_a_table(make_pool):
    """A notebook would print every parameter of a network, and not its path."""
    pool, readout = make_pool()
    network = pool.network(((0, 2), (1, 3, 5)), readout)
    assert repr(network) == "<PathNetwork: inputs (2, 6, 6), 2, 3 modules a layer>"
    rows = network._repr_html_().split("<tr>")
    assert "<td>Linear</td><td>1, 3, 5</td>" in rows[-1]
