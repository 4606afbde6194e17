"""Data that are no numbers, and examples that are copies of one another."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import pathnet_evo
from pathnet_evo import SupervisedTask, TaskError
from pathnet_evo.core.kinds import Affine
from pathnet_evo.core.network import PathNetwork
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.tasks import EnvironmentTask
from pathnet_evo_a3c.learner import A3C
from pathnet_evo_sgd.learner import correct


def toy(**parts) -> SupervisedTask:
    """A thousand examples of two classes."""
    x = torch.linspace(0, 1, 3000).view(1000, 3)
    y = torch.arange(1000) % 2
    given = {"inputs": x, "labels": y, "test_inputs": x[:10], "test_labels": y[:10]}
    return SupervisedTask(**{"name": "toy", "n_classes": 2, **given, **parts})


def holed(value: float, *at: int) -> torch.Tensor:
    x = torch.zeros(1000, 3)
    x[list(at), 1] = value
    return x


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"inputs": holed(torch.nan, 3, 17)}, r"training inputs are not finite .* rows 3, 17 of 1"),
        ({"inputs": holed(-torch.inf, *range(500, 510))}, "502, 503, 504 and 5 more of 1,000"),
        ({"test_inputs": holed(torch.inf, 9)[:10]}, "test inputs are not finite .* row 9 of 10"),
        ({"labels": torch.tensor([0, 1] * 499 + [7, -1])}, "outside 0 to 1 in rows 998, 999"),
        ({"test_inputs": torch.zeros(10, 3, dtype=torch.uint8)}, "float32, test inputs uint8"),
        ({"shift": torch.zeros(5, 3)}, r"shift of shape \(5, 3\) does not broadcast"),
        ({"scale": torch.zeros(2)}, r"scale of shape \(2,\) does not broadcast"),
        ({"scale": torch.tensor(torch.nan)}, "scale is not finite"),
        ({"shift": torch.zeros(3, dtype=torch.float64)}, "shift must be float32, not float64"),
        ({"class_names": ("a", "b", "c")}, "3 class names, 2 classes"),
        ({"sources": torch.arange(7)}, "one int64 a training example"),
    ],
)
def test_gave_a_task_what_are_no_numbers(parts, says):
    """It would train and score as if nothing were, or the learning rate would be blamed."""
    with pytest.raises(TaskError, match=f"toy: .*{says}"):
        toy(**parts)


class Nowhere(EnvironmentTask):
    """An environment that is never made."""

    def make(self, num_envs, seeds, *, render=False):
        raise NotImplementedError


def test_gave_an_environment_a_scale_of_another_shape():
    """Every observation would become one of another shape."""
    with pytest.raises(TaskError, match="scale of shape"):
        Nowhere("x", (3,), 2, scale=torch.ones(2, 3))
    with pytest.raises(TaskError, match="n_actions is 0"):
        Nowhere("x", (3,), 0)
    assert type(Nowhere("x", (np.int64(3),), np.int64(2)).n_actions) is int


def test_had_logits_that_are_no_numbers():
    """NaN is the largest of all numbers to ``argmax``: it would score for one class."""
    inf, nan = torch.inf, torch.nan
    logits = torch.tensor([[nan, 0.0], [0.0, nan], [inf, 0.0], [-inf, 3.0], [1.0, 2.0]])
    assert correct(logits, torch.tensor([0, 1, 0, 1, 1])) == 1
    assert correct(logits.view(1, 5, 2), torch.tensor([[0, 1, 0, 1, 1]])) == 1


def test_trained_an_actor_whose_outputs_are_no_numbers():
    """The first or the last action would be taken for ever, and scored."""
    weights = {"weight": torch.full((1, 3, 4), torch.nan), "bias": torch.zeros(1, 3)}
    network = PathNetwork([Affine(outputs=3)], [weights], path=())
    for learner in (A3C(), A3C(greedy=True)):
        with pytest.raises(TaskError, match="outputs are not finite"):
            learner.actions(network, torch.zeros(2, 4), torch.Generator())


@pytest.mark.slow
def test_held_out_copies_of_digits(small):
    """Every source image would be in both halves, and overfitting would look like skill."""
    config = {
        **small,
        "name": "digits",
        "stages": [{"task": {"name": "digits", "copies": 20, "noise": 0.3}, "generations": 1}],
    }
    task = pathnet_evo.launch(config, name="copies").task(0)
    kept, held = task.split(0.25, Streams(0).torch("held-out"))
    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(len(task.inputs)))
    assert len(task.inputs) == 1442 * 20
    sources = len(task.inputs) // 20
    assert len(held) == round(0.25 * sources) * 20
    assert not {i % sources for i in kept.tolist()} & {i % sources for i in held.tolist()}
    assert (task.labels.view(20, -1) == task.labels[:sources]).all(), "copies follow one another"


def test_held_out_examples_of_a_task_of_ones_own():
    """A plugin that augments its data could not say so."""
    sources = torch.arange(1000) // 10
    kept, held = toy(sources=sources).split(0.2, torch.Generator().manual_seed(1))
    assert (len(kept), len(held)) == (800, 200)
    assert not set(sources[kept].tolist()) & set(sources[held].tolist())
    with pytest.raises(TaskError, match="0.001 of 100 sources of examples leaves none"):
        toy(sources=sources).split(0.001, torch.Generator())
