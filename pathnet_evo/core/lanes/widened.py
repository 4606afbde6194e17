"""Layers whose modules hear columns, as layers of modules with a wider input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from pathnet_evo.core.columns import Columns
from pathnet_evo.core.stack import Stack

ROWS = 16
"""Lanes whose columns are computed together: always so many, each in the same place whatever part
it is in, since both can change the last bit."""


class WidenedStack:
    """A stack and the lateral maps into its modules, as lanes see them.

    Its parameters are copies: what lanes find by them is handed on with ``split``.

    Args:
        stack: the layer.
        lateral: the maps into its modules.
    """

    def __init__(self, stack: Stack, lateral: Stack) -> None:
        self.own, self.lateral = stack, lateral
        self.kind, self.device, self.output_shape = stack.kind, stack.device, stack.output_shape
        self.parameters = stack.kind.widen(stack.parameters, lateral.parameters["weight"])
        x, units = (torch.zeros(1, *part.input_shape) for part in (stack, lateral))
        self.input_shape = tuple(stack.kind.join(x, units).shape[1:])
        self.n_own = stack.parameters["weight"].shape[2]

    def frozen_modules(self) -> tuple[int, ...]:
        """The stack's; what leads into them is zero."""
        return self.own.frozen_modules()

    def join(self, x: Tensor, heard: Tensor) -> Tensor:
        """The layer's input, ``(K, *input_shape)``, from its own and from what columns say."""
        return self.kind.join(x, heard)

    def own_input(self, x: Tensor) -> Tensor:
        """Of ``(K, steps, *input_shape)`` what comes from the layer below."""
        return x[:, :, : self.n_own].reshape(*x.shape[:2], *self.own.input_shape)

    def split(self, gradients: Mapping[str, Tensor]) -> list[tuple[Stack, dict[str, Tensor]]]:
        """Gradients by name ``(n, ...)``, as those of the stack and those of the maps."""
        weight = gradients["weight"]
        own = {**gradients, "weight": weight[:, :, : self.n_own]}
        return [(self.own, own), (self.lateral, {"weight": weight[:, :, self.n_own :]})]


AnyStack: TypeAlias = Stack | WidenedStack


def split_widened(
    stack: AnyStack, gradients: Mapping[str, Tensor]
) -> list[tuple[Stack, dict[str, Tensor]]]:
    """Which stacks of a pool and head gradients belong to, by name ``(n, *parameter_shape)``."""
    if isinstance(stack, WidenedStack):
        return stack.split(gradients)
    return [(stack, dict(gradients))]


def listen(columns: Columns, x: Tensor, first: int) -> list[Tensor]:
    """What columns say to some lanes, the same whatever other lanes are computed with them.

    Args:
        columns: what to listen to.
        x: ``(K, *input_shape)`` float32, prepared for the network.
        first: which of all lanes the first one is.
    """
    before = first % ROWS
    after = -(before + len(x)) % ROWS
    padded = F.pad(x, (0, 0) * (x.dim() - 1) + (before, after))
    blocks = [columns(block) for block in torch.split(padded, ROWS)]
    return [torch.cat(units)[before : before + len(x)] for units in zip(*blocks, strict=True)]
