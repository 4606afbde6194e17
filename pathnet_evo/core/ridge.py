"""Ridge regression by inner products, with each example's prediction by a fit on all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class RidgeFit:
    """The fit with the ridge whose predictions of examples that were left out are best.

    Args:
        dual: ``(examples, outputs)``; a prediction is the inner products with the examples' centred
            features times these, plus ``mean``.
        mean: ``(outputs,)`` mean target.
        left_out: ``(examples, outputs)`` what a fit on all other examples predicts of each, in
            closed form from the fit on all (Allen 1974).
        error: sum of the squared errors of ``left_out``.
        explained: the share of the targets' variance that ``left_out`` explains; that variance is
            about the mean of all other targets.
    """

    dual: Tensor
    mean: Tensor
    left_out: Tensor
    error: float
    explained: float


def ridge_fit(kernel: Tensor, targets: Tensor, ridges: Sequence[float]) -> RidgeFit:
    """Fit ridge regression with an intercept.

    Args:
        kernel: ``(examples, examples)`` float64, the inner products of features.
        targets: ``(examples, outputs)`` float64, two examples at least.
        ridges: ridges to try, as shares of the centred kernel's mean diagonal.
    """
    n = len(targets)
    centred = kernel - kernel.mean(0) - kernel.mean(1, keepdim=True) + kernel.mean()
    spread = centred.diagonal().mean() + 1e-12
    values, vectors = torch.linalg.eigh(centred)
    mean = targets.mean(0)
    variance = float((targets - mean).square().sum()) * (n / (n - 1)) ** 2 + 1e-12
    turned = vectors.T @ (targets - mean)
    found: list[RidgeFit] = []
    for ridge in ridges:
        inverse = 1 / (values.clamp(min=0) + ridge * spread)
        shrunk = values.clamp(min=0) * inverse
        fitted = mean + vectors @ (shrunk.unsqueeze(1) * turned)
        own = (vectors.square() @ shrunk + 1 / n).unsqueeze(1)
        left_out = targets - (targets - fitted) / (1 - own).clamp(min=1e-9)
        error = float((targets - left_out).square().sum())
        dual = vectors @ (inverse.unsqueeze(1) * turned)
        found.append(RidgeFit(dual, mean, left_out, error, 1 - error / variance))
    return min(found, key=lambda fit: fit.error)
