"""Decoding many image files, in threads, into one array."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, UnidentifiedImageError

from pathnet_evo_images.pixels import Frame, with_channels
from pathnet_evo_images.source import Place

Pixels: TypeAlias = npt.NDArray[np.uint8]

BATCH = 128
"""Files a thread takes at once."""
LONG = 2000
"""Files whose decoding takes long enough for a progress bar."""


def decode_all(place: Place, files: Sequence[str], frame: Frame) -> Pixels:
    """Decode files into one array.

    Args:
        place: who asks.
        files: at least one path.
        frame: the shape that is wanted; sides that it leaves open must agree between the files.
            Channels that it leaves open are 1 if all images are grey, else 3.

    Returns:
        ``(n, C, H, W)`` uint8, in the order of the files.

    Raises:
        TaskError: an image cannot be read, or does not fit the others or the frame.
    """
    try:
        frame.check(len(files), (3, 1, 1))
    except ValueError as error:
        raise place.error(f"{error}") from None
    first, _ = _decode(place, files[0], frame)
    channels = frame.channels or 3
    pixels = np.empty((len(files), channels, *first.shape[1:]), dtype=np.uint8)
    grey = np.zeros(len(files), dtype=np.bool_)

    def decode_batch(start: int) -> int:
        batch = files[start : start + BATCH]
        for index, file in enumerate(batch, start):
            image, grey[index] = _decode(place, file, frame)
            if image.shape[1:] != first.shape[1:]:
                raise place.error(
                    f"images differ in size ({files[0]} is {_size(first)}, {file} {_size(image)}). "
                    f"Have them brought to one: {place.setting('size=32')}"
                )
            pixels[index] = image
        return len(batch)

    starts = range(0, len(files), BATCH)
    with (
        _progress(place.kind, len(files)) as advance,
        ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads,
    ):
        for done in threads.map(decode_batch, starts):
            advance(done)
    if frame.channels is None and grey.all():
        return np.ascontiguousarray(pixels[:, :1])
    return pixels


def _decode(place: Place, file: str, frame: Frame) -> tuple[Pixels, bool]:
    """One image in its frame, ``(C or 3, H, W)``, and whether it is grey."""
    try:
        with Image.open(file) as image:
            pixels = _bytes(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        what = "not an image" if isinstance(error, UnidentifiedImageError) else error
        raise place.error(f"cannot read {file} ({what}). Replace or delete it.") from error
    tensor = torch.from_numpy(pixels)[None]
    try:
        framed = with_channels(frame.apply(tensor), frame.channels or 3)
    except ValueError as error:
        raise place.error(f"{file}: {error}") from None
    return framed[0].numpy(), len(pixels) == 1


def _bytes(image: Image.Image) -> Pixels:
    """An image's pixels, ``(1 or 3, H, W)``: grey or RGB, transparency dropped, 16 bits to 8."""
    mode = image.mode
    if mode.startswith("I;16"):
        return (np.asarray(image) >> 8).astype(np.uint8)[None]
    if mode in ("I", "F"):
        raise ValueError(f"{mode} pixels of 32 bits are not supported")
    if mode in ("1", "L", "LA", "La"):
        return np.array(image.convert("L"))[None]
    if mode in ("P", "PA"):  # Pillow warns of transparency lost in one step
        image = image.convert("RGBA")
    return np.ascontiguousarray(np.asarray(image.convert("RGB")).transpose(2, 0, 1))


def _size(image: Pixels) -> str:
    return f"{image.shape[2]}x{image.shape[1]}"


class _Advance(Protocol):
    def __call__(self, files: int) -> None: ...


@contextmanager
def _progress(kind: str, n: int) -> Iterator[_Advance]:
    """A bar on a terminal's standard error while many files are decoded."""
    if n < LONG or not sys.stderr.isatty():
        yield lambda files: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"{kind}: decoding {n:,} images", total=n)
        yield lambda files: progress.advance(task, files)
