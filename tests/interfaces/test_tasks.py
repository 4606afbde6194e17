from dataclasses import replace

import pytest
import torch

from pathnet_evo.interfaces.tasks import SupervisedTask, TaskError


@pytest.fixture
def task():
    """Six examples of three classes."""
    return SupervisedTask(
        "toy",
        torch.arange(12, dtype=torch.uint8).view(6, 2),
        torch.tensor([0, 1, 2, 0, 1, 2]),
        torch.zeros(2, 2, dtype=torch.uint8),
        torch.tensor([0, 1]),
        n_classes=3,
        shift=torch.tensor([1.0, 2.0]),
        scale=torch.tensor(0.5),
    )


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"inputs": torch.zeros(0, 2), "labels": torch.zeros(0, dtype=torch.int64)}, "0 training"),
        ({"labels": torch.tensor([0, 1])}, "6 training inputs, 2 labels"),
        ({"test_labels": torch.tensor([0])}, "2 test inputs, 1 labels"),
        ({"inputs": torch.zeros(6, 2, dtype=torch.float64)}, "uint8 or float32"),
        ({"inputs": torch.zeros(6)}, r"training inputs must be \(examples, \*shape\)"),
        ({"labels": torch.zeros(6)}, "int64"),
        ({"labels": torch.zeros(6, 1, dtype=torch.int64)}, "int64"),
        ({"labels": torch.tensor([0, 1, 3, 0, 1, 2])}, "outside 0 to 2"),
        ({"test_labels": torch.tensor([0, -1])}, "outside 0 to 2"),
        ({"test_inputs": torch.zeros(2, 3, dtype=torch.uint8)}, r"\(2,\), test inputs \(3,\)"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(task, wrong, says):
    """Broken: a plugin author would meet the mistake as an index error deep in training."""
    with pytest.raises(TaskError, match=f"toy: .*{says}"):
        replace(task, **wrong)


def test_inputs_are_shifted_then_scaled(task):
    """Broken: bytes would reach the network unnormalised."""
    assert task.prepare(task.inputs[:2]).tolist() == [[-0.5, -0.5], [0.5, 0.5]]
    assert replace(task, shift=None, scale=None).prepare(task.inputs[:1]).tolist() == [[0, 1]]
    assert task.input_shape == (2,)


def test_a_task_moves_to_a_device_whole(task):
    """Broken: a run on a GPU would fail at its first minibatch."""
    moved = task.to("cpu")
    for name, value in vars(task).items():
        same = torch.equal if isinstance(value, torch.Tensor) else lambda a, b: a == b
        assert same(vars(moved)[name], value)
