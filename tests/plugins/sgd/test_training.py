import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_

from pathnet_evo_sgd import linear_step
from pathnet_evo_sgd.batches import Batches
from pathnet_evo_sgd.learner import SGD

GENES = ((0, 2, 2), (1, 4, 1), (5, 3, 0))
PATH = ((0, 2), (1, 4), (0, 3, 5))
FROZEN = {
    "nothing": ((), (), ()),
    "some": ((2,), (4,), (0, 5)),
    "a first layer": ((0, 2), (), ()),
    "a middle layer": ((), (1, 4), (3,)),
    "all but the readout": PATH,
}


def train_plainly(plain, context, learner, optimizer, max_norm=None):
    """Fifty steps of autograd on a plain network; the accuracy as it went."""
    task = context.task
    examples = torch.arange(len(task.inputs))
    size = learner.n_batches * learner.batch_size
    right = 0
    for rows in Batches(examples, size, context.streams)(0).view(-1, learner.batch_size):
        x = task.inputs[rows].float()
        if task.shift is not None:
            x = (x - task.shift) * task.scale
        logits = plain(x)
        optimizer.zero_grad()
        cross_entropy(logits, task.labels[rows]).backward()
        if max_norm is not None:
            clip_grad_norm_(plain.trainable(), max_norm)
        optimizer.step()
        right += int((logits.argmax(1) == task.labels[rows]).sum())
    return right / size


@pytest.mark.parametrize("raw", [True, False], ids=["bytes", "floats"])
@pytest.mark.parametrize("mean", [False, True], ids=["sum", "mean"])
@pytest.mark.parametrize("frozen", FROZEN)
def test_the_step_by_hand_is_autograds(make_context, evaluate, reference, frozen, mean, raw):
    """Broken: the default learner would follow something that is not the gradient."""
    context = make_context(mean, raw=raw)
    pool, head = context.pool, context.head
    for layer, modules in zip(pool.layers, FROZEN[frozen], strict=True):
        layer.freeze(modules)
    before = [layer.parameters["weight"].clone() for layer in pool.layers]
    plain = reference.PlainNetwork(pool, PATH, head)
    learner = SGD(learning_rate=0.05)
    assert learner.plain
    assert linear_step.applies(pool.lease(PATH, head))
    (evaluation,) = evaluate(learner, context, GENES)
    optimizer = torch.optim.SGD(plain.trainable(), 0.05)
    assert evaluation.fitness == pytest.approx(
        train_plainly(plain, context, learner, optimizer), abs=2 / 800
    )
    assert evaluation.examples == 800
    reference.assert_same_weights(plain, pool, PATH, head, rtol=1e-3, atol=2e-5)
    for layer, old, active in zip(pool.layers, before, PATH, strict=True):
        still = [m for m in range(6) if m not in active or layer.frozen[m]]
        assert torch.equal(layer.parameters["weight"][still], old[still])


@pytest.mark.parametrize(
    ("conv", "options"),
    [
        (True, {}),
        (True, {"momentum": 0.9, "weight_decay": 0.01}),
        (False, {"momentum": 0.9, "optimizer_kwargs": {"nesterov": True}}),
        (
            False,
            {"optimizer": "Adam", "learning_rate": 1e-3, "optimizer_kwargs": {"betas": (0.8, 0.9)}},
        ),
        (False, {"optimizer": "RMSprop", "learning_rate": 1e-3}),
    ],
)
def test_configured_optimizers_train_as_they_do_on_plain_modules(
    make_context, evaluate, reference, conv, options
):
    """Broken: an optimizer asked for by name would do something else here."""
    context = make_context(conv=conv)
    context.pool.freeze(((2,), (4,), (5,)))
    plain = reference.PlainNetwork(context.pool, PATH, context.head)
    learner = SGD(**{"learning_rate": 0.02, "n_batches": 20, **options})
    optimizer = learner.make_optimizer(plain.trainable())
    (evaluation,) = evaluate(learner, context, GENES)
    fitness = train_plainly(plain, context, learner, optimizer)
    assert evaluation.fitness == pytest.approx(fitness, abs=2 / 320)
    close = {"rtol": 1e-3, "atol": 1e-4}
    reference.assert_same_weights(plain, context.pool, PATH, context.head, **close)


@pytest.mark.parametrize("mean", [False, True], ids=["sum", "mean"])
@pytest.mark.parametrize(
    ("conv", "options"),
    [
        (False, {"momentum": 0.9}),
        (False, {"momentum": 0.9, "weight_decay": 0.01}),
        (True, {"momentum": 0.9}),
    ],
    ids=["by hand", "autograd", "conv"],
)
def test_a_gradient_is_clipped_over_the_whole_path(
    make_context, evaluate, reference, conv, options, mean
):
    """Broken: clipping would count frozen modules, or each layer alone."""
    context = make_context(mean, conv=conv)
    context.pool.freeze(((2,), (4,), (5,)))
    plain, free = (reference.PlainNetwork(context.pool, PATH, context.head) for _ in range(2))
    learner = SGD(learning_rate=0.02, n_batches=20, max_grad_norm=0.1, **options)
    for network, max_norm in ((plain, 0.1), (free, None)):
        optimizer = torch.optim.SGD(network.trainable(), 0.02, **options)
        train_plainly(network, context, learner, optimizer, max_norm)
    evaluate(learner, context, GENES)
    close = {"rtol": 1e-3, "atol": 1e-5}
    reference.assert_same_weights(plain, context.pool, PATH, context.head, **close)
    with pytest.raises(AssertionError):
        reference.assert_same_weights(free, context.pool, PATH, context.head, **close)


@pytest.mark.parametrize("conv", [False, True])
def test_clipped_steps_do_not_diverge(make_context, evaluate, conv):
    """Broken: pictures whose classes are colours would end a run of `pathnet-evo learn`."""
    losses = []
    for max_norm in (float("inf"), 1e-4):
        learner = SGD(learning_rate=100, momentum=0.9, n_batches=50, max_grad_norm=max_norm)
        (evaluation,) = evaluate(learner, make_context(conv=conv), GENES)
        losses.append(evaluation.metrics["loss"])
    assert losses[0] > 100
    assert losses[1] < 2


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": 0.9, "weight_decay": 0.1},
        {"optimizer": "Adam", "weight_decay": 0.1},
        {"optimizer": "AdamW", "weight_decay": 0.1},
        {"optimizer": "RMSprop", "momentum": 0.9, "weight_decay": 0.1},
    ],
)
def test_the_first_task_answers_as_before_bit_for_bit(make_context, evaluate, options):
    """Broken: learning a second task would change the first one's network."""
    context = make_context(always_active=True)
    pool = context.pool
    learner = SGD(n_batches=10, **options)
    evaluate(learner, context, GENES)
    pool.freeze(PATH)
    network = pool.network(PATH, context.head)
    answers = network(context.task.inputs)
    pool.initialise(lambda layer: torch.Generator().manual_seed(layer))
    second = make_context(seed=1)
    second = type(second)(**{**vars(second), "pool": pool, "always_active": True})
    done = evaluate(learner, second, GENES, ((1, 1, 1), (1, 2, 3), (0, 1, 2)))
    assert not any(evaluation.failed for evaluation in done)
    assert torch.equal(pool.network(PATH, context.head)(context.task.inputs), answers)
