"""One picture from a user's hands as a network's input: a file, or an image of Pillow's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from pathnet_evo import Shape, TaskError, on_one_line
from pathnet_evo_images.decode import reason
from pathnet_evo_images.picture import Picture, of_image, read
from pathnet_evo_images.pixels import Frame, moved


def as_input(source: Any, shape: Shape, reading: Mapping[str, Any]) -> Tensor:
    """A picture as in training: upright, without transparency, of the network's size and channels.

    Args:
        source: a file name, or an image of Pillow's.
        shape: ``(channels, height, width)``.
        reading: ``fit``, ``rotation`` and ``permutation``, as the options of these names.

    Returns:
        ``shape``, uint8.

    Raises:
        TaskError: it is no picture, has 16 bits a sample, or does not fit.
    """
    fit = reading.get("fit", "resize")
    if len(shape) != 3 or fit not in ("resize", "pad"):
        raise TaskError(f"pictures cannot become inputs of shape {tuple(shape)}: give arrays")
    name = os.fspath(source) if isinstance(source, str | os.PathLike) else type(source).__name__
    try:
        picture = _picture(source)
        frame = Frame(*shape, fit=fit)
        images = frame.apply(torch.from_numpy(picture.pixels)[None])
        return moved(images, reading.get("rotation", 0.0), reading.get("permutation"))[0]
    except TaskError:
        raise
    except Exception as error:  # decoders raise almost anything
        raise TaskError(on_one_line(f"cannot read {name} ({reason(error)})")) from None


def _picture(source: Any) -> Picture:
    if isinstance(source, Image.Image):
        return of_image(source)
    if not isinstance(source, str | os.PathLike):
        raise TaskError(f"cannot read {type(source).__name__}: give file names, images or arrays")
    picture = read(os.fspath(source))
    if picture is None:
        raise ValueError("not an image")
    if picture.depth is not None:
        raise ValueError(
            "16 bits a sample, of which the training images decided how many count: save it with 8"
        )
    return picture
