"""A run's tasks as Avalanche's datasets and experiences."""

from __future__ import annotations

from typing import Any

import torch
from avalanche.benchmarks import benchmark_from_datasets, with_classes_timeline, with_task_labels
from avalanche.benchmarks.utils import (
    ConstantSequence,
    DataAttribute,
    TaskAwareSupervisedClassificationDataset,
)
from torch import Tensor
from torch.utils.data import TensorDataset

from pathnet_evo import Course


def experience_of(course: Course) -> Any:
    """A stage's task as an experience with its index as task label."""
    task = course.task
    inputs = torch.cat([task.prepare(part) for part in torch.split(task.inputs, 1000)])
    dataset = dataset_of(inputs.cpu(), task.labels.cpu(), course.stage)
    benchmark = with_classes_timeline(with_task_labels(benchmark_from_datasets(train=[dataset])))
    return benchmark.train_stream[0]


def dataset_of(inputs: Tensor, labels: Tensor, stage: int) -> Any:
    """Examples of one task label.

    Args:
        inputs: ``(n, *input_shape)`` float32, prepared for the network.
        labels: ``(n,)`` int64.
        stage: the task label.
    """
    return TaskAwareSupervisedClassificationDataset(
        [TensorDataset(inputs, labels)],
        data_attributes=[
            DataAttribute(labels.tolist(), "targets"),
            DataAttribute(
                ConstantSequence(stage, len(labels)), "targets_task_labels", use_in_getitem=True
            ),
        ],
    )
