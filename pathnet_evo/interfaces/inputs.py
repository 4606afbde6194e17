"""What inputs of both kinds of task have in common: a type, a shift and a scale."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from pathnet_evo.core.modules import Shape


class TaskError(ValueError):
    """A task cannot be created: missing or unreadable data, invalid classes or shapes."""


def prepared(inputs: Tensor, shift: Tensor | None, scale: Tensor | None) -> Tensor:
    """Inputs prepared for the network: float32, shifted and scaled."""
    x = inputs.float()
    x = x if shift is None else x - shift
    return x if scale is None else x * scale


def check_normalisation(
    name: str, shift: Tensor | None, scale: Tensor | None, shape: Shape
) -> None:
    """Refuse a non-finite shift or scale, or one that would change an input's type or shape."""
    for part, values in (("shift", shift), ("scale", scale)):
        if values is None:
            continue
        if values.dtype != torch.float32:
            raise TaskError(f"{name}: {part} must be float32, not {type_of(values)}")
        try:
            fits = np.broadcast_shapes(tuple(values.shape), shape) == tuple(shape)
        except ValueError:
            fits = False
        if not fits:
            raise TaskError(
                f"{name}: {part} of shape {tuple(values.shape)} does not broadcast against "
                f"inputs of shape {tuple(shape)}"
            )
        if not finite(values):
            raise TaskError(f"{name}: {part} is not finite (NaN or infinite)")


def finite(values: Tensor) -> bool:
    """Whether all numbers are finite; one pass, and no copy."""
    if not values.is_floating_point() or not values.numel():
        return True
    return all(math.isfinite(extreme) for extreme in torch.stack(values.aminmax()).tolist())


def type_of(values: Tensor) -> str:
    """The name of a tensor's type, such as ``uint8``."""
    return str(values.dtype).removeprefix("torch.")
