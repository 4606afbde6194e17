"""Operations on stacks of uint8 images: size and channels, noise, statistics."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate
from torch.nn.functional import pad as add_border

from pathnet_evo import memory

CHUNK = 256
"""Images handled at once where intermediate values are larger than the images: fits caches."""


@dataclass(frozen=True)
class Frame:
    """The shape that images are brought to; None leaves a side or the channels as they are.

    Args:
        channels: number of channels, C.
        height: H, in pixels.
        width: W, in pixels.
        fit: ``resize`` (bilinear, antialiased, sides stretched independently) or ``pad`` (with
            zeros, the image in the middle).
    """

    channels: int | None = None
    height: int | None = None
    width: int | None = None
    fit: Literal["resize", "pad"] = "resize"

    def check(self, number: int, shape: Sequence[int]) -> None:
        """Refuse more images than there is memory for.

        Args:
            number: how many images, n.
            shape: ``(C, H, W)`` as they are before ``apply``.

        Raises:
            ValueError: there is too little.
        """
        wanted = (self.channels, self.height, self.width)
        c, h, w = (side or given for side, given in zip(wanted, shape, strict=True))
        if lack := memory.lacking(f"{number} images of {h}x{w} pixels", number * c * h * w):
            raise ValueError(lack)

    def apply(self, images: Tensor) -> Tensor:
        """Images in this shape; the very same tensor where nothing is to be done.

        Args:
            images: ``(n, C, H, W)`` uint8.

        Returns:
            ``(n, channels, height, width)`` uint8.

        Raises:
            ValueError: padding was asked for and the images are larger.
        """
        channels, height, width = images.shape[1:]
        size = (self.height or height, self.width or width)
        target = self.channels or channels
        if target < channels:  # fewer pixels to resize
            images = with_channels(images, target)
        if size != (height, width):
            images = pad(images, size) if self.fit == "pad" else resize(images, size)
        return with_channels(images, target)


def resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    """``(n, C, *size)`` uint8, bilinear with antialiasing."""
    if size[1] == 1 and images.shape[1] > 1:  # torch takes a column in colour for its transpose
        return torch.cat([resize(channel[:, None], size) for channel in images.unbind(1)], 1)
    return interpolate(images, size, mode="bilinear", antialias=True)


def pad(images: Tensor, size: tuple[int, int]) -> Tensor:
    """``(n, C, *size)`` with zeros around; an odd pixel goes to the right and the bottom.

    Raises:
        ValueError: the images are larger than ``size``.
    """
    height, width = images.shape[2:]
    missing = (size[0] - height, size[1] - width)
    if min(missing) < 0:
        raise ValueError(
            f'fit = "pad" cannot bring {height}x{width} pixels to {size[0]}x{size[1]}: '
            'use fit = "resize" or a larger size'
        )
    top, left = missing[0] // 2, missing[1] // 2
    return add_border(images, (left, missing[1] - left, top, missing[0] - top))


def with_channels(images: Tensor, channels: int) -> Tensor:
    """Images with another number of channels: RGB to grey by luma, grey repeated.

    Args:
        images: ``(n, C, H, W)`` uint8; C is 1 or 3 where it differs from ``channels``.
        channels: the number that is wanted.

    Returns:
        ``(n, channels, H, W)`` uint8.
    """
    if images.shape[1] == channels:
        return images
    grey = luma(images) if images.shape[1] == 3 else images[:, :1]
    return grey.repeat(1, channels, 1, 1)


def luma(images: Tensor) -> Tensor:
    """ITU-R 601 luma, 0.299 R + 0.587 G + 0.114 B, rounded as Pillow does; ``(n, 1, H, W)``."""
    grey = torch.empty((len(images), 1, *images.shape[2:]), dtype=torch.uint8)
    for source, target in zip(chunks(images), chunks(grey), strict=True):
        red, green, blue = source.to(torch.int32).unbind(1)
        target[:, 0] = (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16
    return grey


def moved(images: Tensor, rotation: float = 0.0, permutation: int | None = None) -> Tensor:
    """Images with their pixels rotated and permuted, if so asked."""
    if rotation:
        images = rotated(images, rotation)
    return images if permutation is None else permuted(images, permutation)


def rotated(images: Tensor, degrees: float) -> Tensor:
    """Images rotated counter-clockwise around their centre, bilinearly, with zeros around.

    Args:
        images: ``(n, C, H, W)`` uint8; not changed.
        degrees: the angle.

    Returns:
        ``(n, C, H, W)`` uint8.
    """
    height, width = images.shape[2:]
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    # The grid is in half widths and half heights, so shears are scaled by the sides' ratio.
    turn = torch.tensor([[cos, -sin * height / width, 0.0], [sin * width / height, cos, 0.0]])
    turned = torch.empty_like(images)
    for source, target in zip(chunks(images), chunks(turned), strict=True):
        grid = affine_grid(turn.expand(len(source), 2, 3), list(source.shape), align_corners=False)
        found = grid_sample(source.float(), grid, align_corners=False)
        target.copy_(found.round().clamp(0, 255))
    return turned


def permuted(images: Tensor, number: int) -> Tensor:
    """Images with their pixels in a fixed random order, the same for all channels.

    Args:
        images: ``(n, C, H, W)`` uint8; not changed.
        number: decides the order, together with the number of pixels.

    Returns:
        ``(n, C, H, W)`` uint8.
    """
    flat = images.flatten(2)
    order = np.random.default_rng(number).permutation(flat.shape[2])
    return flat[:, :, torch.from_numpy(order)].view_as(images)


def salt_and_pepper(images: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """Set a share of the pixels, all channels of a pixel alike, to 0 or 255 with equal chance.

    Args:
        images: ``(n, C, H, W)`` uint8; not changed.
        share: chance of a pixel to be set, in [0, 1].
        rng: the only source of randomness.

    Returns:
        ``(n, C, H, W)`` uint8.
    """
    noisy = images.clone()
    for chunk in chunks(noisy):
        drawn = rng.random((len(chunk), 1, *chunk.shape[2:]), dtype=np.float32)
        chunk.masked_fill_(torch.from_numpy(drawn < share), 255)
        chunk.masked_fill_(torch.from_numpy(drawn < share / 2), 0)
    return noisy


def moments(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel, over 0 ... 255.

    Sums of squared bytes are integers below 2^53, exact in double precision in whatever order they
    are added: the result does not depend on the number of threads.

    Args:
        images: ``(n, C, H, W)`` uint8.

    Returns:
        Two tensors ``(C, 1, 1)`` float64.
    """
    total = torch.zeros(images.shape[1], dtype=torch.float64)
    squares = torch.zeros_like(total)
    for chunk in chunks(images):
        values = chunk.transpose(0, 1).flatten(1).double()
        total += values.sum(1)
        squares += torch.linalg.vecdot(values, values)
    count = images.numel() // images.shape[1]
    mean = total / count
    deviation = (squares / count - mean**2).clamp(min=0).sqrt()
    return mean.view(-1, 1, 1), deviation.view(-1, 1, 1)


def chunks(images: Tensor) -> Iterator[Tensor]:
    """Views of at most CHUNK images each."""
    for start in range(0, len(images), CHUNK):
        yield images[start : start + CHUNK]
