"""A backbone as a task's encoder: from uint8 images of one shape to features."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from pathnet_evo import Encoder, Shape, TaskError, on_one_line
from pathnet_evo_images.architectures import Architecture


class ImageEncoder(Encoder):
    """A frozen backbone and its own preprocessing.

    Images are resized (bilinear, antialiased), grey becomes three equal channels, and values are
    normalised as the backbone's training images were. Resizing is two matrix products, which
    exported programs and ONNX compute like torch.

    Args:
        name: the backbone's.
        backbone: the network, with its weights, and its preprocessing.
        input_shape: ``(1 or 3, height, width)``.

    Raises:
        TaskError: images of other channels, or a network that does not take such images.
    """

    def __init__(self, name: str, backbone: Architecture, input_shape: Shape) -> None:
        channels, height, width = input_shape
        if channels not in (1, 3):
            raise TaskError(f"backbone {name}: takes images of 1 or 3 channels, not {channels}")
        super().__init__(name, input_shape, ())
        self.network: nn.Module = backbone.network.eval().requires_grad_(False)
        self.rows: Tensor
        self.columns: Tensor
        self.mean: Tensor
        self.deviation: Tensor
        size = backbone.size
        for buffer, values in {
            "rows": _resizing(height, size),
            "columns": _resizing(width, size).T.contiguous(),
            "mean": torch.tensor(backbone.mean).view(3, 1, 1) * 255,
            "deviation": torch.tensor(backbone.deviation).view(3, 1, 1) * 255,
        }.items():
            self.register_buffer(buffer, values, persistent=False)
        self._resizes = (height, width) != (size, size)
        self.output_shape = tuple(self._tried().shape[1:])

    def forward(self, x: Tensor) -> Tensor:
        """Features of images.

        Args:
            x: ``(n, *input_shape)`` uint8, or float32 from 0 to 255.

        Returns:
            ``(n, features)`` float32.
        """
        x = x.float()
        if self._resizes:
            x = self.rows @ x @ self.columns
        x = (x - self.mean) / self.deviation  # grey becomes three channels here
        found: Tensor = self.network(x)
        return found.flatten(1)

    @property
    def sample(self) -> Tensor:
        """A fixed image; its features tell of architecture, weights and arithmetic."""
        generator = torch.Generator().manual_seed(0)
        return torch.randint(256, self.input_shape, generator=generator, dtype=torch.uint8)

    @torch.inference_mode()
    def _tried(self) -> Tensor:
        side = self.rows.shape[0]
        try:
            found: Any = self(self.sample[None])
        except Exception as error:  # networks raise what they like at a size they do not take
            reason = on_one_line(str(error).partition("\n")[0])[:200]
            raise TaskError(
                f"backbone {self.name}: fails on images of {side}x{side} pixels ({reason}). Set "
                "another size"
            ) from None
        if not isinstance(found, Tensor) or found.dtype != torch.float32 or not found.numel():
            raise TaskError(f"backbone {self.name}: gives no float32 features")
        return found


def _resizing(given: int, wanted: int) -> Tensor:
    """The matrix ``(wanted, given)`` that resizes a column of pixels."""
    unit = torch.eye(given)[None, None]
    return interpolate(unit, (wanted, given), mode="bilinear", antialias=True)[0, 0]
