"""RMSProp in place, on the modules that lanes used, with statistics that live in the pool."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pathnet_evo import Stack


def prepare(stack: Stack) -> None:
    """Have a mean square for every parameter of every module, zero at first."""
    for name, values in stack.parameters.items():
        if name not in stack.statistics:
            stack.statistics[name] = torch.zeros_like(values)


@torch.no_grad()
def step(
    stack: Stack,
    modules: Tensor,
    gradients: Mapping[str, Tensor],
    *,
    learning_rate: float,
    decay: float,
    epsilon: float,
    initial: float = 0.0,
) -> None:
    """Update some modules; all others keep their weights and their statistics.

    As ``torch.optim.RMSprop`` does: the mean square decays, and the gradient is divided by its
    root plus epsilon. There the mean squares begin at zero, so that the first steps are the
    longest, 10 times the learning rate with a decay of 0.99.

    Args:
        stack: the layer.
        modules: ``(n,)`` which, each once.
        gradients: by name ``(n, *parameter_shape)``.
        learning_rate: step size.
        decay: of the mean square.
        epsilon: added to the root.
        initial: mean squares of a module that has not been updated since it was drawn.
    """
    prepare(stack)
    for name, gradient in gradients.items():
        values, squares = stack.parameters[name], stack.statistics[name]
        mean = squares[modules]
        if initial:
            mean[~mean.flatten(1).any(1)] = initial
        mean.mul_(decay).addcmul_(gradient, gradient, value=1 - decay)
        squares.index_copy_(0, modules, mean)
        values.index_add_(0, modules, gradient / mean.sqrt_().add_(epsilon), alpha=-learning_rate)
    stack.versions[modules.cpu()] += 1
