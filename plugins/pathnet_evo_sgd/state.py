"""An optimizer's state, such as momentum, as statistics that lie beside each module in the pool."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from pathnet_evo import Lease, Shape, Stack


def shapes(stack: Stack, kept: Mapping[str, bool]) -> dict[str, Shape]:
    """Names of the statistics of a stack, and their shapes for one module.

    Args:
        stack: the modules.
        kept: what the optimizer keeps of a parameter: true for a tensor of its shape, false for a
            number, such as the count of steps.
    """
    return {
        f"{name}:{key}": tuple(values.shape[1:]) if as_parameter else ()
        for name, values in stack.parameters.items()
        for key, as_parameter in kept.items()
    }


def put(optimizer: torch.optim.Optimizer, lease: Lease, kept: Mapping[str, bool]) -> None:
    """Load the kept state of the leased modules into a new optimizer.

    Of numbers that differ between modules, as steps do, the largest counts.
    """
    if not kept:
        return
    for stack in lease.stacks:
        for name, parameter in stack.parameters.items() if stack.trainable else ():
            optimizer.state[parameter] = {
                key: stack.statistics[f"{name}:{key}"].clone()
                if as_parameter
                else stack.statistics[f"{name}:{key}"].max()
                for key, as_parameter in kept.items()
            }


def take(optimizer: torch.optim.Optimizer, lease: Lease, kept: Mapping[str, bool]) -> None:
    """Hand the optimizer's state to the lease, to be committed with what was trained."""
    if not kept:
        return
    for stack in lease.stacks:
        for name, parameter in stack.parameters.items() if stack.trainable else ():
            for key, value in optimizer.state[parameter].items():
                if key in kept:
                    kept_as = stack.statistics[f"{name}:{key}"]
                    stack.statistics[f"{name}:{key}"] = value.detach().expand_as(kept_as).clone()
