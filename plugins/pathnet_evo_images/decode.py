"""Decoding many image files, in threads, into one array."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from PIL import UnidentifiedImageError

from pathnet_evo_images.depth import FULL, Depth, used
from pathnet_evo_images.picture import Pixels, read
from pathnet_evo_images.pixels import Frame, with_channels
from pathnet_evo_images.progress import Advance, progress
from pathnet_evo_images.source import Place
from pathnet_evo_images.walk import Found

BATCH = 128
"""Files a thread takes at once."""
LONG = 2000
"""Files whose decoding takes long enough for a progress bar."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """What files hold.

    Args:
        pixels: ``(n, C, H, W)``, in the order of the files.
        others: positions of the files that are no images; the pixels are without them.
        remark: what a user must know of how they were read, or nothing.
        digests: hexadecimal SHA-256 of each file, where content decides what is for testing.
    """

    pixels: Pixels
    others: tuple[int, ...] = ()
    remark: str = ""
    digests: tuple[str, ...] = ()


def decode_all(place: Place, files: Sequence[Found], frame: Frame) -> Decoded:
    """Decode files into one array.

    Args:
        place: who asks.
        files: at least one.
        frame: the shape that is wanted; sides that it leaves open must agree between the images.
            Channels that it leaves open are 1 if all images are grey, else 3.

    Raises:
        TaskError: an image cannot be read, or does not fit the others or the frame.
    """
    try:
        frame.check(len(files), (3, 1, 1))
    except ValueError as error:
        raise place.error(f"{error}") from None
    decoder = _Decoder(place, files, frame)
    long = len(files) >= LONG
    bar = progress(f"{place.kind}: decoding {len(files):,} images", len(files))
    with bar if long else nullcontext(_silent) as advance:
        decoder.decode(range(len(files)), advance)
        bits = used(decoder.depths.values())
        fewer = [i for i, depth in decoder.depths.items() if bits[depth.declared] < FULL]
        decoder.decode(fewer, _silent, bits)
    pixels, is_image = decoder.pixels, decoder.is_image
    if frame.channels is None and decoder.grey[is_image].all():
        pixels = pixels[:, :1]
    if not is_image.all():
        pixels = pixels[is_image]
    others = tuple(np.flatnonzero(~is_image).tolist())
    return Decoded(np.ascontiguousarray(pixels), others, _remark(decoder.depths, bits))


def _silent(done: int) -> None:
    """Shows no progress."""


def _remark(depths: Mapping[int, Depth], bits: Mapping[int, int]) -> str:
    counts = {
        fewer: sum(bits[depth.declared] == fewer for depth in depths.values())
        for fewer in sorted(set(bits.values()) - {FULL})
    }
    return "; ".join(
        f"{count} images of 16 bits use {fewer}: 0 to {2**fewer - 1} is read as black to white"
        for fewer, count in counts.items()
    )


@dataclass
class _Decoder:
    """Files on their way into one array, which the first image gives its shape.

    Args:
        place: who asks.
        files: all of them.
        frame: the shape that is wanted.
        first: position of the first image, None until it is known.
        pixels: ``(n, C or 3, H, W)``.
        grey: for each file whether it is grey.
        is_image: for each file whether it is an image.
        depths: of files of 16 bits, by position.
    """

    place: Place
    files: Sequence[Found]
    frame: Frame
    pixels: Pixels = field(init=False)
    first: int = field(init=False)
    grey: npt.NDArray[np.bool_] = field(init=False)
    is_image: npt.NDArray[np.bool_] = field(init=False)
    depths: dict[int, Depth] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.files)
        self.grey, self.is_image = np.zeros((2, n), dtype=np.bool_)
        for self.first in range(n):
            image = self._decode(self.first, {})
            if image is not None:
                self.pixels = self._room(image)
                return
        self.pixels = np.empty((n, 1, 1, 1), dtype=np.uint8)

    def decode(
        self, chosen: Sequence[int], advance: Advance, bits: Mapping[int, int] | None = None
    ) -> None:
        """Decode files; of 16 bits so many are used, for each number that is declared."""

        def decode_batch(start: int) -> int:
            batch = chosen[start : start + BATCH]
            for index in batch:
                image = self._decode(index, bits or {})
                if image is not None:
                    self._put(index, image)
            return len(batch)

        starts = range(0, len(chosen), BATCH)
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
            for done in threads.map(decode_batch, starts):
                advance(done)

    def _room(self, image: Pixels) -> Pixels:
        try:
            self.frame.check(len(self.files), image.shape)
        except ValueError as error:
            raise self.place.error(f"{error}") from None
        return np.empty((len(self.files), *image.shape), dtype=np.uint8)

    def _put(self, index: int, image: Pixels) -> None:
        if image.shape != self.pixels.shape[1:]:
            first, this = (self.files[i].stamp.path for i in (self.first, index))
            raise self.place.error(
                f"images differ in size ({first} is {_size(self.pixels)}, {this} {_size(image)}). "
                f"Have them brought to one: {self.place.setting('size=32')}"
            )
        self.pixels[index] = image

    def _decode(self, index: int, bits: Mapping[int, int]) -> Pixels | None:
        """One image in its frame, ``(C or 3, H, W)``; None where the file is none."""
        (path, *_), promised = self.files[index]
        try:
            picture = read(path, promised, bits)
        except Exception as error:  # of whatever type, at a file from anywhere
            raise self.place.error(
                f"cannot read {path} ({reason(error)}). Replace or delete it."
            ) from error
        if picture is None:
            return None
        self.is_image[index], self.grey[index] = True, len(picture.pixels) == 1
        if picture.depth is not None:
            self.depths[index] = picture.depth
        tensor = torch.from_numpy(picture.pixels)[None]
        try:
            framed = with_channels(self.frame.apply(tensor), self.frame.channels or 3)
        except ValueError as error:
            raise self.place.error(f"{path}: {error}") from None
        return framed[0].numpy()


def reason(error: Exception) -> str:
    """Why a picture cannot be read, in words."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    said = error.strerror if isinstance(error, OSError) else None
    return said or str(error) or type(error).__name__


def _size(image: Pixels) -> str:
    return f"{image.shape[-1]}x{image.shape[-2]}"
