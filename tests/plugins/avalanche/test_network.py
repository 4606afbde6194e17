"""The network of rivals against that of paths."""

from __future__ import annotations

import pytest
import torch

from pathnet_evo.core.aggregate import AGGREGATES
from pathnet_evo.core.kinds import Conv2d, Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo_avalanche.answers import untrained
from pathnet_evo_avalanche.network import trunk

SHAPE, N = (2, 6, 6), 3
METHODS = ["ewc", "lwf", "replay", "packnet", "progressive", "joint"]


def made(kind, initial, aggregate="sum"):
    """Kinds of two layers, and a rival's network of them."""
    first = Linear(units=4, initial=initial)
    if kind == "conv2d":
        first = Conv2d(channels=4, kernel=3, padding=1, initial=initial)
    kinds = [first, Linear(units=5, initial=initial)]
    return kinds, trunk(kinds, N, SHAPE, AGGREGATES[aggregate])[0]


@pytest.mark.parametrize("aggregate", ["sum", "mean"])
@pytest.mark.parametrize("kind", ["linear", "conv2d"])
def test_a_rival_combines_modules_as_a_path(kind, aggregate):
    """A rival would sum where the paths average."""
    kinds, network = made(kind, "torch", aggregate)
    pool = ModulePool(kinds, N, SHAPE, aggregate=AGGREGATES[aggregate])
    for layer, own in zip(pool.layers, network, strict=False):
        for name, values in own.wide.named_parameters():
            layer.parameters[name].copy_(values.detach().unflatten(0, (N, -1)))
    head = pool.head(5, torch.Generator())
    head.readout.parameters["weight"].copy_(torch.eye(5)[None])
    head.readout.parameters["bias"].zero_()
    path, x = (tuple(range(N)),) * 2, torch.rand(7, *SHAPE)
    assert torch.allclose(network(x), pool.network(path, head)(x), atol=1e-6)


@pytest.mark.parametrize("kind", ["linear", "conv2d"])
@pytest.mark.parametrize("initial", ["torch", "he", "orthogonal"])
def test_a_rival_starts_with_weights_of_the_modules_kind(kind, initial):
    """A rival would start, or be measured untrained, with other weights than the paths."""
    torch.manual_seed(0)  # a few dozen weights may all be far from their bound
    _, first = made(kind, initial)
    second = untrained(first)
    for layer, again in zip(first[:2], second[:2], strict=True):
        assert not torch.equal(layer.wide.weight, again.wide.weight)
        for wide in (layer.wide, again.wide):
            weight, bias = wide.weight.detach().flatten(1), wide.bias.detach()
            if initial == "orthogonal":
                for rows in weight.unflatten(0, (N, -1)):
                    singular = torch.linalg.svdvals(rows)
                    assert torch.allclose(singular, torch.tensor(2.0).sqrt(), atol=1e-5)
                assert not bias.any()
                continue
            bound = ((6 if initial == "he" else 1) / weight.shape[1]) ** 0.5
            assert 0.9 * bound < weight.abs().max() <= bound * (1 + 1e-6)
            assert bias.any() == (initial == "torch")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("classes", [(5, 2), (2, 5)])
def test_a_task_is_learned_among_its_own_classes(method, classes, follow, make_plan):
    """Of two classes, the loss would be that of five, whose others always have the logit 0."""
    wide = []

    def asked(rival, course):
        logits, tasks = rival.strategy.mb_output, rival.strategy.mb_task_id
        for stage in set(tasks.tolist()):
            absent = logits[tasks == stage].softmax(1)[:, classes[stage] :]
            assert not absent.any()
            wide.append(absent.shape[1])

    stages = [{"task": {"name": "blobs", "classes": n}, "generations": 4} for n in classes]
    follow(method, make_plan(stages=stages), asked)
    mixed = method in ("replay", "joint")  # minibatches of both tasks
    assert max(wide) == (3 if mixed or classes == (5, 2) else 0)


def test_a_task_of_which_one_class_has_examples(follow, make_plan):
    """A progressive network fails where its new head is wider than the classes that it has met."""
    stages = [{"task": {"name": "blobs", "classes": 1}, "generations": 2}] * 2
    follow("progressive", make_plan(stages=stages), lambda rival, course: None)
