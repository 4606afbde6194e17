import pytest
import torch
from pydantic import ValidationError

from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo_sgd import learner as learner_module
from pathnet_evo_sgd.batches import Batches
from pathnet_evo_sgd.learner import SGD

GENES = ((0, 2, 2), (1, 4, 1), (5, 3, 0))
OTHERS = ((0, 1, 2), (1, 2, 3), (5, 4, 0))


def snapshot(context):
    """Copies of all weights and versions."""
    stacks = context.pool.stacks(context.head)
    values = [p.clone() for stack in stacks for p in stack.parameters.values()]
    return values + [stack.versions.clone() for stack in stacks]


@pytest.mark.parametrize("conv", [False, True], ids=["by hand", "autograd"])
@pytest.mark.parametrize("validation_fraction", [0, 0.25])
def test_a_loss_that_is_not_finite_fails_the_evaluation_alone(
    make_context, evaluate, conv, validation_fraction
):
    """Broken: one exploding path would poison modules that others share."""
    context = make_context(conv=conv)
    before = snapshot(context)
    learner = SGD(learning_rate=1e9, n_batches=20, validation_fraction=validation_fraction)
    (failed,) = evaluate(learner, context, GENES)
    assert failed.state == "FAILED"
    assert failed.fitness is None
    assert failed.cause == "the loss or a weight is not finite (learning rate 1000000000.0)"
    assert all(map(torch.equal, snapshot(context), before))
    (fine,) = evaluate(SGD(n_batches=2), context, GENES)
    assert fine.state == "OK"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"optimizer": "Adm"}, "not a supported optimizer .have: .*Adam, "),
        ({"optimizer": "LBFGS"}, "not a supported optimizer"),
        ({"optimizer": "Adam", "momentum": 0.9}, "torch.optim.Adam: .*momentum"),
        ({"optimizer_kwargs": {"betas": (0.9, 0.9)}}, "torch.optim.SGD: .*betas"),
        ({"optimizer_kwargs": {"nesterov": True}}, "Nesterov"),
        ({"optimizer_kwargs": {"lr": 5.0}}, "set learner.learning_rate instead of lr"),
        ({"learning_rate": float("nan")}, "finite"),
        ({"validation_fraction": 1}, "less than 1"),
        ({"slots": 3}, "1 or 2"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_the_configuration(options, says):
    """Broken: the mistake would show after the first stage's data was read, or never."""
    with pytest.raises(ValidationError, match=says):
        SGD(**options)


def test_held_out_examples_are_never_trained_on(make_context, evaluate, monkeypatch):
    """Broken: fitness on held-out examples would reward what was learned by heart."""
    context = make_context(conv=True)
    seen = []
    prepare = type(context.task).prepare

    def spy(self, inputs):
        if torch.is_grad_enabled():
            seen.extend(map(bytes, inputs.flatten(1).numpy()))
        return prepare(self, inputs)

    monkeypatch.setattr(type(context.task), "prepare", spy)
    learner = SGD(n_batches=20, validation_fraction=0.25)
    evaluator = learner.evaluator(context)
    assert len(evaluator.held) == 50
    evaluation = None
    for i in range(2):
        evaluator.submit(Candidate(i, i, GENES, None, i))
        (evaluation,) = evaluator.advance()
    held = set(map(bytes, context.task.inputs[evaluator.held].flatten(1).numpy()))
    assert len(seen) == 640
    assert len(set(seen)) == 150
    assert not held & set(seen)
    path = context.pool.active(GENES, always_active=False)
    network = context.pool.network(path, context.head, context.task.shift, context.task.scale)
    answers = network(context.task.inputs[evaluator.held]).argmax(1)
    assert evaluation.fitness == int((answers == context.task.labels[evaluator.held]).sum()) / 50


@pytest.mark.parametrize("validation_fraction", [0.001, 0.999])
def test_a_share_that_leaves_no_examples_is_refused(make_context, validation_fraction):
    """Broken: fitness would be a division by zero."""
    with pytest.raises(ValueError, match="leaves none"):
        SGD(validation_fraction=validation_fraction).evaluator(make_context())


def test_with_two_places_every_pair_starts_from_the_same_weights(make_context):
    """Broken: the second contestant would be trained on what the first improved."""
    context = make_context()
    evaluator = SGD(n_batches=3, slots=2).evaluator(context)
    number = 0
    for _ in range(3):
        before = snapshot(context)
        assert evaluator.free == 2
        for genotype in (GENES, OTHERS):
            evaluator.submit(Candidate(number, number % 2, genotype, None, number))
            number += 1
        leased = [lease for _, lease, _ in evaluator.queue]
        assert evaluator.free == 0
        assert len(evaluator.advance()) == 1
        assert evaluator.free == 0, "a place that opens between would see the first's training"
        assert len(evaluator.advance()) == 1
        for lease in leased:
            for i, stack in enumerate(lease.layers):
                weight = before[2 * i][list(stack.trainable)]
                assert torch.equal(stack.leased["weight"], weight)
        assert not any(map(torch.equal, snapshot(context)[:8], before[:8]))


def test_cancelling_drops_what_was_leased(make_context):
    """Broken: an interrupted run would train on after its end."""
    context = make_context()
    before = snapshot(context)
    evaluator = SGD(slots=2).evaluator(context)
    evaluator.submit(Candidate(0, 0, GENES, None, 0))
    evaluator.cancel()
    assert evaluator.free == 2
    assert evaluator.advance() == []
    assert all(map(torch.equal, snapshot(context), before))


def test_accuracy_is_the_share_of_right_answers(make_context, monkeypatch):
    """Broken: every reported score would be wrong."""
    context = make_context()
    task = context.task
    path = context.pool.active(GENES, always_active=False)
    network = context.pool.network(path, context.head, task.shift, task.scale)
    monkeypatch.setattr(learner_module, "SCORED_AT_ONCE", 7)
    right = [
        int(network(x[None]).argmax()) == int(y)
        for x, y in zip(task.test_inputs, task.test_labels, strict=True)
    ]
    score = SGD().score(network, task, Streams(0))
    assert score == {"test_accuracy": sum(right) / len(right)}


@pytest.mark.parametrize(("n", "size"), [(10, 4), (10, 10), (7, 20), (5, 33)])
def test_minibatches_are_the_cuts_of_endless_epochs(n, size):
    """Broken: some examples would be seen more often than others, or arms see other data."""
    examples = torch.arange(100, 100 + n)
    batches, again = (Batches(examples, size, Streams(3, 0)) for _ in range(2))
    drawn = [batches(key) for key in range(6)]
    assert all(len(cut) == size for cut in drawn)
    endless = [example for cut in drawn for example in cut.tolist()]
    epochs = [endless[i : i + n] for i in range(0, len(endless) - n + 1, n)]
    assert all(sorted(epoch) == examples.tolist() for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > len(epochs) / 2, "epochs have their own order"
    for key in (5, 0, 3, 3):
        assert torch.equal(again(key), drawn[key])
    assert not torch.equal(Batches(examples, size, Streams(4, 0))(0), drawn[0])
