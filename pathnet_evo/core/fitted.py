"""A readout of frozen paths' units in closed form, beside the one that gradient descent trains.

With few examples, training distorts features and memorises, where a regularised linear readout of
features that are left as they are does not (Kumar et al. 2022); and the two err on different
examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from pathnet_evo.core.modules import Shape
from pathnet_evo.core.ridge import ridge_fit

CELLS = 4
"""Units of larger maps are averaged to as many cells a side: fewer weights, and 1 to 2 points more
on CIFAR than all units."""
RIDGES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Ridges that are tried, as shares of the kernel's mean diagonal."""
SCALES = tuple(2.0 ** (i / 4) for i in range(-4, 25))
"""Factors that are tried to make logits of predictions."""


class FittedReadout(nn.Module):
    """A linear map from the units of all layers of a task's columns to its logits.

    Args:
        shapes: for each layer the shape of all columns' units together.
        outputs: number of logits.

    Attributes:
        weight: factor of the trained readout's logits, which gives both readouts an equal spread.
        spread: mean deviation of this readout's logits of an example.
    """

    weight: Tensor
    spread: Tensor

    def __init__(self, shapes: Sequence[Shape], outputs: int) -> None:
        super().__init__()
        self.maps = nn.ParameterList(torch.zeros(outputs, _features(shape)) for shape in shapes)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("weight", torch.tensor(1.0))
        self.register_buffer("spread", torch.tensor(0.0))
        self.requires_grad_(False)

    @classmethod
    def fit(
        cls,
        shapes: Sequence[Shape],
        heard: Iterable[Sequence[Tensor]],
        labels: Tensor,
        outputs: int,
    ) -> Self:
        """Fit by ridge regression on one-hot labels, every layer with the same weight.

        The ridge is the one that predicts examples best that are left out, the logits' scale the
        one that gives the labels of these examples the greatest likelihood.

        Args:
            shapes: for each layer the shape of all columns' units together.
            heard: batches of examples, one at a time: for each layer ``(batch, *shape)``.
            labels: ``(examples,)`` int64.
            outputs: number of classes.
        """
        fitted = cls(shapes, outputs).to(labels.device)
        targets = F.one_hot(labels, outputs).double()
        pooled = [[_pooled(units) for units in batch] for batch in heard]
        layers, means, norms = [], [], []
        for parts in zip(*pooled, strict=True):
            features = torch.cat(parts).double()
            means.append(features.mean(0))
            centred = features - means[-1]
            norms.append(float(centred.square().sum(1).mean().sqrt()) or 1.0)
            layers.append(centred / norms[-1])
        kernel = torch.stack([features @ features.T for features in layers]).sum(0)
        found = ridge_fit(kernel, targets, RIDGES)
        scale = min(SCALES, key=lambda s: float(F.cross_entropy(s * found.left_out, labels)))
        bias = found.mean
        for into, features, mean, norm in zip(fitted.maps, layers, means, norms, strict=True):
            weights = features.T @ found.dual / norm
            bias = bias - mean @ weights
            into.copy_(scale * weights.T)
        fitted.bias.copy_(scale * bias)
        fitted.spread.copy_(_spread(scale * found.left_out))
        return fitted

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

    def restore(self, state: dict[str, Any]) -> None:
        """Become the readout that ``state`` was taken of.

        Raises:
            ValueError: that is another one.
        """
        own = [*self.maps, self.bias, self.weight, self.spread]
        given = [*state["maps"], state["bias"], state["weight"], state["spread"]]
        for into, values in zip(own, given, strict=True):
            if into.shape != values.shape:
                raise ValueError(f"fitted readout: {tuple(values.shape)} for {tuple(into.shape)}")
            into.copy_(values)


def _pooled(units: Tensor) -> Tensor:
    """``(batch, features)``: units as they are, maps averaged to a few cells."""
    if units.dim() == 4:
        height, width = (min(side, CELLS) for side in units.shape[2:])
        units = F.adaptive_avg_pool2d(units, (height, width))
    return units.flatten(1)


def _features(shape: Shape) -> int:
    return _pooled(torch.empty(1, *shape, device="meta")).shape[1]


def _spread(logits: Tensor) -> Tensor:
    """The mean deviation over the logits of an example."""
    return logits.std(1, correction=0).mean()
