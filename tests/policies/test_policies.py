"""Transfer policies: what is frozen, what is drawn again, and what free modules begin as."""

import copy

import pytest
import torch

from pathnet_evo.core.kinds import Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.policies import Beginning, Start
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.policies.freeze import Freeze
from pathnet_evo.testing import PolicyContract

PATH = ((0, 1), (0, 1))


@pytest.fixture
def pool():
    """Two layers of 8 modules, trained in some way."""
    made = ModulePool([Linear(units=3), Linear(units=2)], 8, (4,))
    made.initialise(lambda layer: Streams(0).torch("init", layer))
    return made


def begin(pool, name, initial="fresh", ranked=(0,), copied_layers=(), reinitialise=True, share=1.0):
    """End one stage and begin the next with a policy."""
    policy = Registry().get("policies", name)()
    policy.end(pool, PATH)
    before = [stack.parameters["weight"].clone() for stack in pool.layers]
    beginning = Beginning(
        pool=pool,
        streams=Streams(0, 1),
        width=2,
        learned=[PATH],
        ranked=list(ranked),
        wanted=[None, *ranked],
        reinitialise=reinitialise,
        grow=0,
        initial_modules=initial,
        copied_layers=dict(copied_layers),
        copied_share=share,
    )
    starts, grown = policy.begin(beginning)
    after = [stack.parameters["weight"] for stack in pool.layers]
    kept = [
        tuple(m for m in range(len(a)) if torch.equal(a[m], b[m]))
        for a, b in zip(before, after, strict=True)
    ]
    return starts, grown, tuple(kept)


def test_freeze_keeps_the_path_and_draws_the_rest_again(pool):
    """Broken: the first task would be forgotten, or the second begin with its leftovers."""
    starts, grown, kept = begin(pool, "freeze")
    assert kept == pool.frozen_path() == PATH
    assert [start.rows for start in starts] == [((2, 3), (2, 3))]
    assert not grown


@pytest.mark.parametrize("reinitialise", [True, False])
def test_scratch_draws_everything_again(pool, reinitialise):
    """Broken: the independent control would know something of the first task."""
    assert begin(pool, "scratch", reinitialise=reinitialise)[2] == ((), ())


def test_free_modules_keep_their_weights_where_configured(pool):
    """Broken: ``transfer.reinitialise = false`` would do nothing."""
    assert begin(pool, "freeze", reinitialise=False)[2] == (tuple(range(8)),) * 2


def test_keep_leaves_everything(pool):
    """Broken: the fine-tuning control would begin from other weights than it learned."""
    assert begin(pool, "keep")[2] == (tuple(range(8)),) * 2
    assert pool.frozen_path() == ((), ())


@pytest.mark.parametrize("initial", ["copies", "mixed"])
def test_copies_are_of_the_frozen_path_and_can_be_trained(pool, initial):
    """Broken: what was asked to begin as the first task's weights would begin as noise."""
    starts, _, kept = begin(pool, "freeze", initial)
    assert kept == PATH
    copies = next(start for start in starts if start.copy_of == 0)
    for stack, source, target in zip(pool.layers, PATH, copies.rows, strict=True):
        for a, b in zip(source, target, strict=True):
            assert torch.equal(stack.parameters["weight"][a], stack.parameters["weight"][b])
            assert not stack.frozen[b]
    assert (starts[0].copy_of is None) == (initial == "mixed")
    used = [set(start.rows[0]) for start in starts]
    assert len(set().union(*used)) == sum(map(len, used)), "starts must not share modules"


def test_copies_of_the_lower_layers_alone(pool):
    """Broken: where examples are many, layers that suit the first task would hold back a copy."""
    starts, _, _ = begin(pool, "freeze", "mixed", copied_layers={0: 1})
    (start,) = [s for s in starts if s.copy_of == 0]
    assert str(start) == "copies of stage 0 up to layer 1, fresh above"
    lower, upper = (stack.parameters["weight"] for stack in pool.layers)
    assert torch.equal(lower[list(start.rows[0])], lower[[0, 1]])
    assert not any(torch.equal(upper[m], upper[j]) for m in start.rows[1] for j in (0, 1))
    assert Start.of(start.state()) == start
    assert Start.of([[[0], [1]], 2, True]) == Start(((0,), (1,)), 2, retrain=True)


def test_a_share_of_the_earlier_weights_is_copied(pool):
    """Broken: ``transfer.copied_share`` would copy all, nothing, or beside the fresh weights."""
    fresh = copy.deepcopy(pool)
    begin(fresh, "freeze")
    (start,) = begin(pool, "freeze", "copies", share=0.25)[0][:1]
    for stack, drawn, sources, targets in zip(
        pool.layers, fresh.layers, PATH, start.rows, strict=True
    ):
        for values, others in zip(
            stack.parameters.values(), drawn.parameters.values(), strict=True
        ):
            expected = values[list(sources)] / 4 + others[list(targets)] * 3 / 4
            torch.testing.assert_close(values[list(targets)], expected)


def test_random_columns_transfer_nothing(pool):
    """Broken: the control would hear what the first task learned."""
    head = pool.head(3, Streams(0).torch("readout"))
    network = pool.network(PATH, head)
    policy = Registry().get("policies", "random-columns")()
    heard = policy.column(network, 0, Streams(0, 1))
    x = torch.randn(5, 4)
    assert not torch.allclose(heard.units(x)[0], network.units(x)[0])
    assert not any(start.copy_of == 0 for start in begin(pool, "random-columns", "mixed")[0])


@pytest.mark.parametrize("name", Registry().names("policies"))
class TestContract:
    """Every registered policy keeps to the contract."""

    def test_kit(self, name):
        """Broken: what is registered would not do what authors of others are told to do."""

        class Kit(PolicyContract):
            def policy(self):
                return Registry().get("policies", name)()

        for test in (t for t in dir(Kit) if t.startswith("test_")):
            getattr(Kit(), test)()


def test_the_kit_finds_a_policy_that_forgets():
    """Broken: a plugin that overwrites frozen modules would pass."""

    class Forgets(Freeze):
        def begin(self, beginning):
            found = super().begin(beginning)
            for stack in beginning.pool.layers:
                stack.parameters["bias"] += 1
            return found

    class Kit(PolicyContract):
        def policy(self):
            return Forgets()

    with pytest.raises(AssertionError, match="leave frozen modules"):
        Kit().test_what_is_frozen_never_changes()
