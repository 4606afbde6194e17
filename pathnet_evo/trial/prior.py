"""A cheap prior: how well do frozen paths' features tell a new task's classes apart?

Before a stage, a ridge classifier is fitted on at most 800 training examples: on the raw inputs,
on the units of paths of random weights, and on those of each earlier path; each fifth is classified
by the fit on the others. As MNTDP does with nearest neighbours (Veniat et al. 2021), it costs
seconds.

Whether a path is worth copying is decided by the variance of the labels that its units explain,
each example left out in turn: an accuracy on a hundred examples is too coarse for that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from pathnet_evo.core.ridge import ridge_fit

MOST = 800
"""Examples that are looked at."""
FOLDS = 5
"""Parts into which the examples are cut."""
UNTRAINED = 3
"""Paths of random weights to compare with."""
LEFT_OUT = 300
"""Examples that are left out in turn."""
MARGIN = 0.015
"""Share of the labels' variance that a path must explain beyond random weights, for copies to be
worth it."""
CLEARLY = 0.05
"""Share of the labels' variance that a layer must explain beyond the first one, for copies up to it
to be worth it where examples are many."""
FAMILIAR = 0.45
"""How far features that suit a task get from guessing (0) to perfect (1)."""
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
        chance: of guessing.
        alone: as ``stages``, of the paths without what they hear themselves, as copies begin.
        explained: the share of the labels' variance that these units explain.
        explained_random: the share that the units of random weights explain, the mean of some.
        by_layer: as ``explained``, by each layer's units alone, the layer at the input first.
    """

    examples: int
    raw: float
    random: float
    stages: dict[int, float]
    chance: float = 0.0
    alone: dict[int, float] = field(default_factory=dict)
    explained: dict[int, float] = field(default_factory=dict)
    explained_random: float = 0.0
    by_layer: dict[int, tuple[float, ...]] = field(default_factory=dict)

    @property
    def ranked(self) -> list[int]:
        """Stages, the most telling first; of equals the latest."""
        return _ranked(self.stages)

    @property
    def error(self) -> float:
        """The standard error of an accuracy near the best."""
        best = max(self.stages.values(), default=0.0)
        return float((max(best * (1 - best), 0.01) / self.examples) ** 0.5)

    @property
    def unfamiliar(self) -> bool:
        """Whether even the best path's features clearly do not suit the task.

        "Clearly" is by two standard errors. A copy has to change a lot then, and listening to what
        it was copied from would only help it to memorise the training examples.
        """
        best = max(self.stages.values(), default=0.0) + 2 * self.error
        return best < self.chance + FAMILIAR * (1 - self.chance)

    def telling(self) -> list[int]:
        """The stages worth listening to, the most telling first.

        Not those whose path clearly tells less than random weights do, by a standard error: what it
        says is then noise to this task. Where examples are few little is clear, and listening is
        tried, for maps begin at zero.
        """
        return [stage for stage in self.ranked if self.stages[stage] + self.error > self.random]

    def starts(self) -> list[int | None]:
        """What a new path may begin as, to be raced: copies of earlier paths, None for fresh.

        Copies of the best path, and of others that tell as much within one standard error, of those
        that explain more of the labels than random weights do: a copy of what is unrelated is a
        worse beginning than none. A copy does not hear what its source heard, so only the source's
        own modules count.
        """
        least = self.explained_random + MARGIN
        related = [s for s in _ranked(self.alone) if self.explained[s] > least]
        best = max((self.alone[stage] for stage in related), default=0.0)
        return [s for s in related if self.alone[s] >= best - self.error] or [None]

    def layers_to_copy(self, stage: int, least: int) -> int:
        """How many of a path's layers, from the input, to copy where examples are many.

        Up to the most telling one if it explains clearly more than the first does: what the layers
        build on one another then suits the task. Otherwise, and at the least, ``least``.
        """
        explained = self.by_layer[stage]
        most = max(range(len(explained)), key=explained.__getitem__)
        return max(least, most + 1) if explained[most] > explained[0] + CLEARLY else least


def _ranked(accuracies: dict[int, float]) -> list[int]:
    return sorted(accuracies, key=lambda stage: (accuracies[stage], stage), reverse=True)


@dataclass(frozen=True)
class Tells:
    """What units tell of labels.

    Args:
        accuracy: of a ridge classifier on examples that it was not fitted on.
        explained: the share of the labels' variance that ridge regression explains, likewise.
        by_layer: the share that the units of each layer explain alone.
    """

    accuracy: float
    explained: float
    by_layer: tuple[float, ...]


def tells(layers: Sequence[Tensor], labels: Tensor, n_classes: int) -> Tells:
    """What the units of the best layer tell, or those of all together.

    A single example tells nothing, nor do units that are too large to multiply.

    Args:
        layers: units of each, ``(examples, ...)``; the examples are in random order.
        labels: ``(examples,)`` int64.
        n_classes: number of classes.
    """
    nothing = Tells(0.0, 0.0, (0.0,) * len(layers))
    if len(labels) < 2:
        return nothing
    units = [_standardised(each) for each in layers]
    kernels = _with_sum([_kernel(each) for each in units])
    if not all(torch.isfinite(each).all() for each in kernels):
        return nothing
    fewer = kernels
    if len(labels) > LEFT_OUT:
        fewer = _with_sum([_kernel(_standardised(each[:LEFT_OUT])) for each in layers])
    explained = [_explained(kernel, labels[:LEFT_OUT], n_classes) for kernel in fewer]
    forms = map(_form, _with_all(units), kernels)
    return Tells(
        max(_accuracy(form, labels, n_classes) for form in forms),
        max(explained),
        tuple(explained[: len(layers)]),
    )


def _standardised(units: Tensor) -> Tensor:
    """``(n, units)`` float32, of mean 0 and about the same spread."""
    x = units.flatten(1).float()
    return (x - x.mean(0)) / (x.std(0) + 1e-6 + 0.01 * x.std())


def _with_all(layers: list[Tensor]) -> list[Tensor]:
    """The layers' standardised units, and those of all together, each layer of mean square 1."""
    if len(layers) == 1:
        return layers
    return [*layers, torch.cat([x / (x.square().sum(1).mean() + 1e-12).sqrt() for x in layers], 1)]


def _kernel(units: Tensor) -> Tensor:
    """``(n, n)`` float64 inner products of examples, of mean square 1."""
    gram = (units @ units.T).double()
    return gram / (gram.diagonal().mean() + 1e-12)


def _with_sum(kernels: list[Tensor]) -> list[Tensor]:
    """The layers' inner products, and those of all together."""
    return [*kernels, sum(kernels[1:], kernels[0])] if len(kernels) > 1 else kernels


Form: TypeAlias = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
"""Ridge regression, primal or dual: from the indices of the examples to fit, of those left out, and
the former's centred targets to A, B and C, so that B (A + ridge)^-1 C predicts what is left out."""


def _form(units: Tensor, kernel: Tensor) -> Form:
    """The form with the smaller matrix to invert; both give the same predictions."""
    if units.shape[1] < len(units):
        return partial(_primal, units.double())
    return partial(_dual, kernel)


def _primal(
    units: Tensor, fitted: Tensor, left_out: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """By products of units."""
    a, b = units[fitted], units[left_out]
    middle = a.mean(0)  # of what is fitted alone: a mean over all would tell of what is left out
    a, b = a - middle, b - middle
    return a.T @ a, b, a.T @ targets


def _dual(
    kernel: Tensor, fitted: Tensor, left_out: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """By inner products of examples."""
    inner, outer = kernel[fitted][:, fitted], kernel[left_out][:, fitted]
    middle = inner.mean(0)  # of what is fitted alone, too
    inner = inner - middle - middle.unsqueeze(1) + middle.mean()
    outer = outer - outer.mean(1, keepdim=True) - middle + middle.mean()
    return inner, outer, targets


def _accuracy(form: Form, labels: Tensor, n_classes: int) -> float:
    """Accuracy of a ridge classifier on examples that it was not fitted on, in turn.

    Args:
        form: of the regression; the examples are in random order.
        labels: ``(n,)`` int64.
        n_classes: number of classes.
    """
    n = len(labels)
    targets = F.one_hot(labels, n_classes).double()
    fold = torch.arange(n, device=labels.device) % FOLDS
    right = dict.fromkeys(RIDGES, 0)
    for k in range(min(FOLDS, n)):
        fitted, left_out = (fold != k).nonzero().flatten(), (fold == k).nonzero().flatten()
        mean = targets[fitted].mean(0)
        products, before, after = form(fitted, left_out, targets[fitted] - mean)
        spread = products.trace() / len(fitted) + 1e-12
        eye = torch.eye(len(products), dtype=torch.float64, device=labels.device)
        for ridge in RIDGES:
            factor = torch.linalg.cholesky(products + ridge * spread * eye)
            said = (before @ torch.cholesky_solve(after, factor) + mean).argmax(1)
            right[ridge] += int((said == labels[left_out]).sum())
    return max(right.values()) / n


def _explained(kernel: Tensor, labels: Tensor, n_classes: int) -> float:
    """The share of one-hot labels' variance that ridge regression explains.

    Each example is predicted by a fit on all others; the variance is about the mean of the others'
    labels. 0 if it explains nothing.

    Args:
        kernel: inner products of the examples.
        labels: ``(n,)`` int64.
        n_classes: number of classes.
    """
    n = len(labels)
    if n < 3:
        return 0.0
    targets = F.one_hot(labels, n_classes).double()
    return max(ridge_fit(kernel, targets, (*RIDGES, 10 * RIDGES[-1])).explained, 0.0)
