"""Avalanche's experiences as tasks, and those that PathNet does not learn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sized
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from pathnet_evo import SupervisedTask, UserError, said

AT_ONCE = 1000
"""Examples that are read at a time."""
WAY_OUT = (
    "PathNet learns task-incremental benchmarks, with a task label of its own for each experience, "
    "such as nc_benchmark(..., task_labels=True)"
)


def label_of(experience: Any) -> int:
    """The one task label of an experience.

    Raises:
        UserError: it has none, or several.
    """
    labels = sorted(set(getattr(experience, "task_labels", None) or ()))
    if len(labels) != 1:
        have = (
            f"has the task labels {', '.join(map(str, labels))}" if labels else "has no task label"
        )
        raise UserError(f"{_name(experience)} {have}. {WAY_OUT}")
    return int(labels[0])


def check_stream(experience: Any) -> None:
    """Refuse a stream in which experiences share a task label.

    Raises:
        UserError: that of a benchmark that is not task-incremental.
    """
    stream = getattr(experience, "origin_stream", None)
    if not isinstance(stream, Sized) or not isinstance(stream, Iterable):
        return
    shared = [label for label, n in Counter(map(label_of, stream)).items() if n > 1]
    if shared:
        raise UserError(f"several experiences have the task label {shared[0]}. {WAY_OUT}")


def classes_of(dataset: Any) -> list[int]:
    """The classes of a dataset, ascending."""
    return sorted({int(target) for target in dataset.targets})


def task_of(experience: Any, dataset: Any) -> SupervisedTask:
    """An experience's training examples as a task; their classes count from 0.

    Avalanche tests on streams of its own, so the task's test part is one training example.

    Args:
        experience: names the task.
        dataset: the examples, as plugins left them.

    Raises:
        UserError: the examples are no tensors of one shape.
        TaskError: they are not finite.
    """
    parts = [*_minibatches(experience, dataset)]
    inputs, targets = torch.cat([x for x, _ in parts]), torch.cat([y for _, y in parts])
    classes = torch.unique(targets)
    labels = torch.searchsorted(classes, targets)
    names = tuple(map(str, classes.tolist()))
    name = f"task {label_of(experience)}"
    return SupervisedTask(
        name, inputs, labels, inputs[:1], labels[:1], len(classes), class_names=names
    )


def first_example_of(experience: Any, dataset: Any) -> SupervisedTask:
    """A task with the shape and the classes of a dataset, but only its first example."""
    inputs, targets = next(iter(_minibatches(experience, dataset, 1)))
    first = torch.zeros_like(targets)
    n_classes = len(classes_of(dataset))
    return SupervisedTask(f"task {label_of(experience)}", inputs, first, inputs, first, n_classes)


def _minibatches(
    experience: Any, dataset: Any, size: int = AT_ONCE
) -> Iterable[tuple[Tensor, Tensor]]:
    """Inputs and targets, in order."""
    try:
        for inputs, targets, *_ in DataLoader(dataset, size):
            yield inputs if inputs.dtype == torch.uint8 else inputs.float(), targets.long()
    except (TypeError, AttributeError, RuntimeError) as error:
        raise UserError(
            f"{_name(experience)}: its examples are not tensors of one shape ({said(error)}). Give "
            "the benchmark a transform, such as torchvision's ToTensor()"
        ) from None


def _name(experience: Any) -> str:
    return f"experience {getattr(experience, 'current_experience', '')}".rstrip()
