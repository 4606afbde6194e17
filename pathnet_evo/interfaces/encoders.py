"""Encoders: frozen networks between a task's raw inputs and the features that paths learn from."""

from __future__ import annotations

from typing import Self

from torch import nn

from pathnet_evo.core.modules import Shape


class Encoder(nn.Module):
    """A network in eval mode that computes a task's examples from raw inputs; never trained.

    A subclass implements ``forward``: ``(batch, *input_shape)`` uint8 to
    ``(batch, *output_shape)`` float32. What its ``state_dict`` holds is kept in saved networks.

    Args:
        name: what model cards call it, such as ``efficientnet-lite0``.
        input_shape: shape of one raw input.
        output_shape: shape of one example of the task.
    """

    def __init__(self, name: str, input_shape: Shape, output_shape: Shape) -> None:
        super().__init__()
        self.name = name
        self.input_shape = tuple(input_shape)
        self.output_shape = tuple(output_shape)

    def train(self, mode: bool = True) -> Self:
        """Stay in eval mode, whatever ``mode`` says."""
        return super().train(False)
