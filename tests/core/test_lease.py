import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch.nn.functional import cross_entropy

from pathnet_evo.core.genotype import distinct
from pathnet_evo.core.kinds import Linear
from pathnet_evo.core.pool import ModulePool

PATH = ((0, 1), (2, 3))
OTHER = ((1, 2), (3, 4))


def change(lease, by):
    """Add a number to everything that may change."""
    for stack in lease.stacks:
        stack.parameters = {name: values + by for name, values in stack.leased.items()}


def same(a, b):
    """Whether two copies of weights are equal, bit for bit."""
    return all(torch.equal(x[n], y[n]) for x, y in zip(a, b, strict=True) for n in x)


def test_a_lease_alone_commits_exactly_what_was_trained(make_pool):
    """Broken: rounding of every evaluation would creep into the shared weights."""
    pool, head = make_pool()
    lease = pool.lease(PATH, head)
    change(lease, 1e-9)
    trained = lease.layers[0].parameters["weight"]
    assert pool.commit(lease) == ((), ())
    assert torch.equal(pool.layers[0].parameters["weight"][[0, 1]], trained)
    assert torch.equal(head.readout.parameters["bias"], lease.head.readout.parameters["bias"])


def test_a_lease_that_is_dropped_changes_nothing(make_pool, weights):
    """Broken: a failed evaluation would leave its wreckage in the pool."""
    pool, head = make_pool()
    before = weights(pool, head)
    lease = pool.lease(PATH, head)
    for p in lease.parameters():
        p.data.fill_(torch.nan)
    assert same(before, weights(pool, head))
    assert pool.commit(pool.lease(PATH, head)) == ((), ())


@pytest.mark.parametrize("first", [0, 1])
def test_leases_that_overlap_lose_no_update(make_pool, weights, first):
    """Broken: of two contestants trained side by side, the later would erase the earlier."""
    pool, head = make_pool()
    before = weights(pool, head)
    leases = [pool.lease(PATH, head), pool.lease(OTHER, head)]
    change(leases[0], 1.0)
    change(leases[1], 10.0)
    for lease in (leases[first], leases[1 - first]):
        pool.commit(lease)
    wanted = [{0: 1, 1: 11, 2: 10}, {2: 1, 3: 11, 4: 10}, {0: 11}]
    for stack, old, added in zip(pool.stacks(head), before, wanted, strict=True):
        for name, values in stack.parameters.items():
            for m in range(len(stack)):
                torch.testing.assert_close(values[m], old[name][m] + added.get(m, 0))


@pytest.mark.parametrize("what", ["freeze", "initialise", "duplicate"])
def test_a_commit_from_before_a_module_became_another_is_refused_for_it_alone(
    make_pool, weights, what
):
    """Broken: a late worker would overwrite frozen weights and so an old task."""
    pool, head = make_pool()
    lease = pool.lease(PATH, head)
    change(lease, 1.0)
    layer = pool.layers[0]
    if what == "freeze":
        layer.freeze((1,))
    elif what == "duplicate":
        layer.duplicate(5, 1)
    else:
        keep = torch.arange(6) != 1
        layer.initialise(torch.Generator().manual_seed(9), keep)
    before = weights(pool, head)
    assert pool.commit(lease) == ((1,), ())
    for name, values in layer.parameters.items():
        assert torch.equal(values[1], before[0][name][1])
        assert torch.equal(values[0], lease.layers[0].parameters[name][0])
    assert torch.equal(pool.layers[1].parameters["bias"][2], before[1]["bias"][2] + 1)
    assert torch.equal(head.readout.parameters["bias"], before[2]["bias"] + 1)


def test_a_refused_module_leaves_overlapping_updates_of_the_others_whole(make_pool, weights):
    """Broken: refusal and addition together would mix up rows."""
    pool, head = make_pool()
    before = weights(pool)
    late, early = pool.lease(((0, 1, 2), (0,)), head), pool.lease(((1,), (0,)), head)
    change(late, 1.0)
    change(early, 10.0)
    pool.commit(early)
    pool.freeze(((0,), (5,)))
    assert pool.commit(late) == ((0,), ())
    bias = pool.layers[0].parameters["bias"]
    for m, added in enumerate((0, 11, 1)):
        torch.testing.assert_close(bias[m], before[0]["bias"][m] + added)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"momentum": 0.9, "weight_decay": 0.1}),
        ("Adam", {"weight_decay": 0.1}),
        ("AdamW", {"weight_decay": 0.1}),
        ("RMSprop", {"momentum": 0.9, "weight_decay": 0.1}),
    ],
)
@pytest.mark.parametrize("kinds", ["linear", "mixed"])
def test_no_optimizer_moves_a_frozen_module(make_pool, weights, name, options, kinds):
    """Broken: weight decay or momentum would erode earlier tasks: PathNet's one promise."""
    pool, head = make_pool(kinds)
    task_a = pool.network(PATH, head)
    pool.freeze(PATH)
    before = weights(pool)
    x, y = torch.randn(8, 2, 6, 6), torch.arange(8) % 3
    answers = task_a(x)
    for path in (PATH, OTHER, ((1, 5), (2, 3))):
        lease = pool.lease(path, pool.head(3, torch.Generator().manual_seed(1)))
        optimizer = getattr(torch.optim, name)(lease.parameters(), lr=0.1, **options)
        for _ in range(3):
            optimizer.zero_grad()
            cross_entropy(lease.forward(x), y).backward()
            optimizer.step()
        pool.commit(lease)
    for stack, old, modules in zip(pool.layers, before, PATH, strict=True):
        for key, values in stack.parameters.items():
            assert torch.equal(values[list(modules)], old[key][list(modules)])
    assert not torch.equal(pool.layers[0].parameters["bias"][5], before[0]["bias"][5])
    assert torch.equal(pool.network(PATH, head)(x), answers)


def test_initialising_again_spares_what_is_frozen(make_pool, weights):
    """Broken: the transfer between tasks would forget the first one."""
    pool, _ = make_pool()
    pool.freeze(((1, 4), (0,)))
    before = weights(pool)
    pool.initialise(lambda layer: torch.Generator().manual_seed(50 + layer))
    for stack, old in zip(pool.layers, before, strict=True):
        for name, values in stack.parameters.items():
            kept = (values == old[name]).flatten(1).all(1)
            assert torch.equal(kept, stack.frozen)


def test_a_frozen_module_is_never_the_target_of_a_duplication(make_pool):
    """Broken: module duplication would overwrite an earlier task."""
    pool, _ = make_pool()
    pool.freeze(((1,), (0,)))
    with pytest.raises(ValueError, match="frozen"):
        pool.duplicate(0, 2, 1)
    pool.duplicate(0, 1, 2)
    for values in pool.layers[0].parameters.values():
        assert torch.equal(values[1], values[2])


def test_freezing_does_not_shift_the_draws_of_other_modules(make_pool):
    """Broken: arms of one seed would differ by more than their arm."""
    draws = []
    for frozen in ((), (0, 3)):
        pool, _ = make_pool()
        pool.layers[0].freeze(frozen)
        pool.initialise(lambda layer: torch.Generator().manual_seed(7 + layer))
        draws.append(pool)
    for a, b in zip(draws[0].layers, draws[1].layers, strict=True):
        free = ~b.frozen
        assert all(torch.equal(a.parameters[n][free], b.parameters[n][free]) for n in a.parameters)


def test_growing_keeps_what_is_there_and_does_not_shift_later_draws(make_pool):
    """Broken: letting one layer grow would change an experiment's every other module."""
    plain, _ = make_pool()
    grown, _ = make_pool()
    grown.freeze(((2,), (3,)))
    grown.grow(0, 3, torch.Generator().manual_seed(5))
    assert [len(layer) for layer in grown.layers] == [9, 6]
    assert grown.shape(3).counts == (9, 6)
    assert grown.frozen_path() == ((2,), (3,))
    for again in (False, True):
        if again:
            for pool in (plain, grown):
                pool.initialise(lambda layer: torch.Generator().manual_seed(layer), False)
        for a, b in zip(plain.layers, grown.layers, strict=True):
            assert all(torch.equal(a.parameters[n], b.parameters[n][:6]) for n in a.parameters)
    new = grown.layers[0].parameters["weight"][6:]
    assert len({tuple(row.flatten().tolist()) for row in new}) == 3


@st.composite
def pools_and_rows(draw):
    """A small pool, a genotype of it, and which of its modules are frozen."""
    layers, modules = draw(st.integers(1, 3)), draw(st.integers(1, 5))
    width = draw(st.integers(1, modules))
    gene = st.integers(0, modules - 1)
    row = st.lists(gene, min_size=width, max_size=width)
    rows = draw(st.lists(row, min_size=layers, max_size=layers))
    frozen = draw(st.lists(st.sets(gene), min_size=layers, max_size=layers))
    return modules, rows, frozen


@settings(max_examples=60, deadline=None)
@given(pools_and_rows())
def test_any_path_goes_out_and_comes_back(case):
    """Broken: some genotype would lose weights, or touch modules that it does not name."""
    modules, rows, frozen = case
    pool = ModulePool([Linear(units=2)] * len(rows), modules, (3,))
    pool.initialise(lambda layer: torch.Generator().manual_seed(layer))
    head = pool.head(2, torch.Generator().manual_seed(9))
    for layer, chosen in zip(pool.layers, frozen, strict=True):
        layer.freeze(sorted(chosen))
    before = [layer.parameters["weight"].clone() for layer in pool.layers]
    path = distinct(rows)
    pool.commit(pool.lease(path, head))
    for layer, old in zip(pool.layers, before, strict=True):
        assert torch.equal(layer.parameters["weight"], old)
    lease = pool.lease(path, head)
    change(lease, 1.0)
    assert all(refused == () for refused in pool.commit(lease))
    for layer, old, active, still in zip(pool.layers, before, path, frozen, strict=True):
        moved = [m in active and m not in still for m in range(modules)]
        added = torch.tensor(moved).view(-1, 1, 1).float()
        assert torch.equal(layer.parameters["weight"], old + added)
