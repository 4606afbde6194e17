"""A cheap prior: how well do frozen paths' features tell a new task's classes apart?

Before a stage, a ridge classifier is fitted on at most 1,000 training examples: on the raw inputs,
on the units of paths of random weights, and on those of each earlier path; each fifth is classified
by the fit on the others. As MNTDP does with nearest neighbours (Veniat et al. 2021), it costs
seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

MOST = 1000
"""Examples that are looked at."""
FOLDS = 5
"""Parts into which the examples are cut."""
UNTRAINED = 3
"""Paths of random weights to compare with."""
CLEARLY = 0.75
"""Standard errors by which a path must tell more than those do, to be listened to."""
RIDGES = (1e-2, 1e-1, 1.0)
"""Ridges that are tried, as shares of the kernel's mean diagonal; the best counts."""


@dataclass(frozen=True)
class Prior:
    """Accuracies of ridge classifiers on examples that they were not fitted on.

    Args:
        examples: how many examples it looked at.
        raw: on the raw inputs.
        random: on the units of paths of random weights, the mean of some.
        stages: on the units of each earlier stage's path.
    """

    examples: int
    raw: float
    random: float
    stages: dict[int, float]

    @property
    def ranked(self) -> list[int]:
        """Stages, the most telling first; of equals the latest."""
        return sorted(self.stages, key=lambda stage: (self.stages[stage], stage), reverse=True)

    @property
    def error(self) -> float:
        """The standard error of an accuracy near the best."""
        best = max(self.stages.values(), default=0.0)
        return float((max(best * (1 - best), 0.01) / self.examples) ** 0.5)

    def telling(self) -> list[int]:
        """The stages worth listening to, the most telling first.

        Those whose path tells more than paths of random weights do: what it says is then not only
        what any wider network would make of the input.
        """
        least = self.random + CLEARLY * self.error
        return [stage for stage in self.ranked if self.stages[stage] > least]

    def starts(self) -> list[int | None]:
        """What a new path may begin as, to be raced: copies of earlier paths, None for fresh.

        Fresh where every path tells less than random weights do, by a standard error: such a copy
        has lost what the new task needs. Else copies of the best path, and of others that tell as
        much within one standard error: a copy is trained, and is at worst a slow beginning.
        """
        ranked = self.ranked
        best = self.stages[ranked[0]]
        if best < self.random - self.error:
            return [None]
        return [stage for stage in ranked if self.stages[stage] >= best - self.error]


def accuracy(features: Sequence[Tensor], labels: Tensor, n_classes: int) -> float:
    """Accuracy of a ridge classifier on examples that it was not fitted on, in turn.

    Args:
        features: parts, each ``(examples, ...)``, their units standardised, and weighed alike; the
            examples in random order.
        labels: ``(examples,)`` int64.
        n_classes: number of classes.
    """
    n = len(labels)
    kernel = torch.zeros(n, n, dtype=torch.float64, device=labels.device)
    for part in features:
        x = part.flatten(1).double()
        x = (x - x.mean(0)) / (x.std(0) + 1e-6 + 0.01 * x.std())
        gram = x @ x.T
        kernel += gram / (gram.diagonal().mean() + 1e-12)
    targets = F.one_hot(labels, n_classes).double()
    fold = torch.arange(n, device=labels.device) % FOLDS
    right = dict.fromkeys(RIDGES, 0)
    for k in range(min(FOLDS, n)):
        fitted, left_out = (fold != k).nonzero().flatten(), (fold == k).nonzero().flatten()
        # Centred by what is fitted alone: a mean over all would tell of what is left out.
        inner, outer = kernel[fitted][:, fitted], kernel[left_out][:, fitted]
        middle = inner.mean(0)
        inner = inner - middle - middle.unsqueeze(1) + middle.mean()
        outer = outer - outer.mean(1, keepdim=True) - middle + middle.mean()
        mean = targets[fitted].mean(0)
        for ridge in RIDGES:
            eye = torch.eye(len(fitted), dtype=torch.float64, device=labels.device)
            weights = torch.linalg.solve(
                inner + ridge * inner.diagonal().mean() * eye, targets[fitted] - mean
            )
            said = (outer @ weights + mean).argmax(1)
            right[ridge] += int((said == labels[left_out]).sum())
    return max(right.values()) / n
