"""The network of a full-width path, for stable-baselines3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn


class Summed(nn.Module):
    """The sum of so many equal groups of units, as a path adds up its modules.

    Args:
        groups: how many.
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(n, groups * units, ...)`` to ``(n, units, ...)``."""
        return x.reshape(len(x), self.groups, -1, *x.shape[2:]).sum(1)


class PathFeatures(BaseFeaturesExtractor):  # type: ignore[misc]
    """Layers of N modules that are added up, as one torch module a layer.

    Args:
        space: of the observations, ``(channels, height, width)``.
        layers: of the pool, as a preset has them: ``conv2d`` first, then ``linear``.
        width: modules a layer, N.
    """

    def __init__(self, space: Any, layers: Sequence[Mapping[str, Any]], width: int) -> None:
        super().__init__(space, layers[-1]["units"])
        made: list[nn.Module] = []
        shown = torch.zeros(1, *space.shape)
        for layer in layers:
            if layer["kind"] == "conv2d":
                units = width * layer["channels"]
                made.append(nn.Conv2d(shown.shape[1], units, layer["kernel"], layer["stride"]))
            else:
                made.append(nn.Flatten())
                units = width * layer["units"]
                made.append(nn.Linear(shown.flatten(1).shape[1], units))
            made += [nn.ReLU(), Summed(width)]
            shown = torch.zeros_like(nn.Sequential(*made)(torch.zeros(1, *space.shape)))
        self.net = nn.Sequential(*made)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features of observations."""
        result: torch.Tensor = self.net(x)
        return result
