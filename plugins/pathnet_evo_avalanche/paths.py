"""The networks of all tasks as one of Avalanche's models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from avalanche.models import MultiTaskModule
from torch import Tensor, nn

from pathnet_evo import PathNetwork


class Paths(MultiTaskModule):  # type: ignore[misc]
    """A network per task label; logits of classes that a task does not have are minus infinity.

    Attributes:
        n_classes: number of logits: one more than the largest class so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.networks = nn.ModuleDict()
        self.classes: dict[int, list[int]] = {}
        self.n_classes = 0

    def hold(self, label: int, classes: Sequence[int], network: PathNetwork) -> None:
        """Answer for a task label with a network, in place of the one before.

        Args:
            label: the task's.
            classes: the class of each of the network's outputs.
            network: its parameters are not to be trained by Avalanche.
        """
        self.networks[str(label)] = network.requires_grad_(False).eval()
        self.classes[label] = [*classes]
        self.widen(classes)

    def widen(self, classes: Sequence[int]) -> None:
        """Have a logit for each of some classes."""
        self.n_classes = max(self.n_classes, max(classes) + 1)

    def adaptation(self, experience: Any) -> None:
        """Leave the networks as they are: experiences are learned elsewhere."""

    def forward_single_task(self, x: Tensor, task_label: int) -> Tensor:
        """Logits of one task's network: ``(batch, n_classes)``."""
        found: Tensor = self.networks[str(task_label)](x)
        logits = found.new_full((len(x), self.n_classes), -math.inf)
        logits[:, self.classes[task_label]] = found
        return logits

    def forward(self, x: Tensor, task_labels: Tensor | int | None) -> Any:
        """Logits of each example's own task; of every task, by label, if there are no labels."""
        if task_labels is None:
            return {label: self.forward_single_task(x, label) for label in self.classes}
        if isinstance(task_labels, int):
            return self.forward_single_task(x, task_labels)
        logits = torch.empty(len(x), self.n_classes, device=x.device)
        for label in torch.unique(task_labels).tolist():
            rows = task_labels == label
            logits[rows] = self.forward_single_task(x[rows], label)
        return logits
