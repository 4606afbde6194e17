"""A linear head per task, where tasks can have different numbers of classes."""

from __future__ import annotations

from typing import Any

import torch
from avalanche.models import MultiHeadClassifier, MultiTaskModule
from torch import Tensor

ABSENT = -1e4
"""Logit of a class that a task does not have: its probability is 0."""


class OwnClasses(MultiTaskModule):  # type: ignore[misc]
    """Answers with the widest head's number of logits, of which each example has those of its task.

    Avalanche fills up with zeros, so that a task of two classes after one of eight was trained, and
    counted right or wrong, as one of eight.
    """

    def forward(self, x: Tensor, task_labels: Any) -> Any:
        """Logits of each example's own head, ``(n, classes of the widest)``."""
        if not isinstance(task_labels, Tensor):
            return super().forward(x, task_labels)
        own = {
            int(task): self.forward_single_task(x[task_labels == task], int(task))
            for task in torch.unique(task_labels)
        }
        widest = max(self.max_class_label, *(logits.shape[1] for logits in own.values()))
        out = x.new_full((len(x), widest), ABSENT)
        for task, logits in own.items():
            out[task_labels == task, : logits.shape[1]] = logits
        return out


class Heads(OwnClasses, MultiHeadClassifier):  # type: ignore[misc]
    """The heads.

    Args:
        features: inputs of each.
    """

    def __init__(self, features: int) -> None:
        super().__init__(features, masking=False)
