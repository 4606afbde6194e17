"""A readout of frozen paths' units in closed form, beside the one that gradient descent trains.

With few examples, training distorts features and memorises, where a regularised linear readout of
features that are left as they are does not (Kumar et al. 2022); and the two err on different
examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from pathnet_evo.core.modules import Shape
from pathnet_evo.core.ridge import RidgeFit, ridge_fit

CELLS = 4
"""Units of larger maps are averaged to as many cells a side."""
RIDGES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Ridges that are tried, as shares of the kernel's mean diagonal."""
SCALES = tuple(2.0 ** (i / 4) for i in range(-4, 25))
"""Factors that are tried to make logits of predictions."""


class FittedReadout(nn.Module):
    """A linear map from the units of all layers of a task's columns to its logits.

    Args:
        maps: for each layer ``(outputs, features)``.
        bias: ``(outputs,)``.
        weight: factor of the trained readout's logits, which gives both readouts an equal spread;
            a number.
        spread: mean deviation of this readout's logits of an example that is left out; a number.

    Attributes:
        explained: the share of the labels' variance that it explains of examples that are left out,
            where it was just fitted.
    """

    weight: Tensor
    spread: Tensor
    explained: float | None = None

    def __init__(
        self,
        maps: Sequence[Tensor],
        bias: Tensor,
        weight: Tensor | None = None,
        spread: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.maps = nn.ParameterList(maps)
        self.bias = nn.Parameter(bias)
        self.register_buffer("weight", bias.new_ones(()) if weight is None else weight)
        self.register_buffer("spread", bias.new_zeros(()) if spread is None else spread)
        self.requires_grad_(False)

    @classmethod
    def fit(cls, heard: Iterable[Sequence[Tensor]], labels: Tensor, outputs: int) -> Self:
        """Fit by ridge regression on one-hot labels, every layer with the same weight.

        The ridge is the one that predicts examples best that are left out, the logits' scale the
        one that gives the labels of these examples the greatest likelihood.

        Args:
            heard: batches of examples, one at a time: for each layer ``(batch, *shape)``, the
                columns' units.
            labels: ``(examples,)`` int64.
            outputs: number of classes.
        """
        pooled = [[_pooled(units) for units in batch] for batch in heard]
        layers, means, norms = [], [], []
        for parts in zip(*pooled, strict=True):
            features, mean, norm = _normed(torch.cat(parts))
            layers.append(features)
            means.append(mean)
            norms.append(norm)
        found = _ridge(layers, labels, outputs)
        scale = min(SCALES, key=lambda s: float(F.cross_entropy(s * found.left_out, labels)))
        maps, bias = [], found.mean
        for features, mean, norm in zip(layers, means, norms, strict=True):
            weights = features.T @ found.dual / norm
            bias = bias - mean @ weights
            maps.append((scale * weights.T).float().contiguous())
        fitted = cls(maps, (scale * bias).float(), spread=_spread(scale * found.left_out).float())
        fitted.explained = found.explained
        return fitted

    @classmethod
    def of(cls, state: Mapping[str, Any], shapes: Sequence[Shape], outputs: int | None) -> Self:
        """The readout that ``state`` was taken of.

        Args:
            state: what ``state`` gave.
            shapes: for each layer the shape of all columns' units together.
            outputs: number of logits; None for whatever it has.

        Raises:
            ValueError: it is that of other columns or of another number of logits.
        """
        bias, maps = state["bias"], [*state["maps"]]
        n = len(bias) if outputs is None else outputs
        found = [tuple(values.shape) for values in (*maps, bias, state["weight"], state["spread"])]
        wanted = [*((n, features_of(shape)) for shape in shapes), (n,), (), ()]
        if found != wanted:
            raise ValueError(f"a fitted readout of shapes {found}, expected {wanted}")
        return cls(
            [values.clone() for values in maps],
            bias.clone(),
            state["weight"].clone(),
            state["spread"].clone(),
        )

    def weigh(self, logits: Tensor) -> None:
        """Give the trained readout the same spread.

        Args:
            logits: ``(examples, outputs)`` of the trained readout, on training examples.
        """
        ratio = self.spread / _spread(logits)
        self.weight.copy_(torch.where(torch.isfinite(ratio), ratio, torch.ones_like(ratio)))

    def said(self, heard: Sequence[Tensor]) -> Tensor:
        """Its own logits ``(batch, outputs)`` of what the columns say."""
        logits: Tensor = self.bias
        for weights, units in zip(self.maps, heard, strict=True):
            logits = logits + F.linear(_pooled(units), weights)
        return logits

    def forward(self, logits: Tensor, heard: Sequence[Tensor]) -> Tensor:
        """The logits of both readouts together.

        Args:
            logits: ``(batch, outputs)`` of the trained readout.
            heard: for each layer ``(batch, *shape)``, the columns' units.
        """
        return self.weight * logits + self.said(heard)

    def state(self) -> dict[str, Any]:
        """Its tensors."""
        return {
            "maps": [*self.maps],
            "bias": self.bias,
            "weight": self.weight,
            "spread": self.spread,
        }


def explained(features: Tensor, labels: Tensor, outputs: int) -> float:
    """The share of the labels' variance that ridge regression on other features explains.

    Args:
        features: ``(examples, ...)``.
        labels: ``(examples,)`` int64.
        outputs: number of classes.
    """
    return _ridge([_normed(features.flatten(1))[0]], labels, outputs).explained


def features_of(shape: Shape) -> int:
    """How many features a readout has of units of a shape."""
    return _pooled(torch.empty(1, *shape, device="meta")).shape[1]


def _pooled(units: Tensor) -> Tensor:
    """``(batch, features)``: units as they are, maps averaged to a few cells."""
    if units.dim() == 4:
        height, width = (min(side, CELLS) for side in units.shape[2:])
        units = F.adaptive_avg_pool2d(units, (height, width))
    return units.flatten(1)


def _normed(features: Tensor) -> tuple[Tensor, Tensor, float]:
    """Features centred and of mean square 1 in all, their means, and what they were divided by."""
    mean = features.double().mean(0)
    centred = features - mean
    norm = float(centred.square().sum(1).mean().sqrt()) or 1.0
    return centred / norm, mean, norm


def _ridge(layers: Sequence[Tensor], labels: Tensor, outputs: int) -> RidgeFit:
    kernel = torch.stack([features @ features.T for features in layers]).sum(0)
    return ridge_fit(kernel, F.one_hot(labels, outputs).double(), RIDGES)


def _spread(logits: Tensor) -> Tensor:
    """The mean deviation over the logits of an example."""
    return logits.std(1, correction=0).mean()
