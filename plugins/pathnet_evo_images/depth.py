"""Samples of 16 bits: how many of the bits are used, and all of them in colour.

Cameras and scanners of 10, 12 or 14 bits write files of 16. Where a file says how many bits count
(sBIT in PNG; BitsPerSample, MaxSampleValue in TIFF), they count if no sample is larger; else its
samples were stretched to 16 bits, as the PNG specification wants it. Where it says nothing, the
largest sample of all such files in a tree decides, so that they keep one scale.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

FULL = 16
"""Bits of a sample in a file."""
DEPTHS = (8, 10, 12, 14, FULL)
"""Bits of real converters."""
SWAPPED = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
"""The other byte order, by Pillow's letters."""
BITS_PER_SAMPLE, MAX_SAMPLE_VALUE = 258, 281


class Depth(NamedTuple):
    """What is known of one file.

    Args:
        declared: bits that count, as the file says; 16 where it says nothing.
        peak: the largest sample.
    """

    declared: int
    peak: int


def used(found: Iterable[Depth]) -> dict[int, int]:
    """The bits that are used, for each number of bits that is declared."""
    peaks: dict[int, int] = {}
    for declared, peak in found:
        peaks[declared] = max(peak, peaks.get(declared, 0))
    return {
        declared: next(
            bits for bits in (DEPTHS if declared == FULL else (declared, FULL)) if peak < 2**bits
        )
        for declared, peak in peaks.items()
    }


def declared(image: ImageFile, file: BinaryIO) -> int:
    """How many bits count, as a file says; 16 where it says nothing.

    Args:
        image: opened, not yet loaded.
        file: what it was opened from; its position is kept.
    """
    said: Iterable[int] = ()
    if isinstance(image, PngImageFile):
        position = file.tell()
        said = _significant(file)
        file.seek(position)
    elif isinstance(image, TiffImageFile):
        largest = image.tag_v2.get(MAX_SAMPLE_VALUE)
        if largest is None:
            said = image.tag_v2.get(BITS_PER_SAMPLE, ())
        else:
            values = largest if isinstance(largest, tuple) else (largest,)
            said = [int(value).bit_length() for value in values]
    bits = max(said, default=FULL)
    return bits if 8 <= bits <= FULL else FULL


def _significant(file: BinaryIO) -> bytes:
    """A PNG's sBIT without that of transparency, which comes last; nothing where it has none."""
    for kind, size in _chunks(file):
        if kind == b"sBIT":
            bits = file.read(min(size, 4))
            return bits[:-1] if len(bits) in (2, 4) else bits
        if kind in (b"PLTE", b"IDAT", b""):
            break
    return b""


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Kind and size of each chunk of a PNG, the file at its content."""
    at = 8
    while True:
        file.seek(at)
        head = file.read(8)
        size = int.from_bytes(head[:4], "big")
        yield head[4:], size
        at += 12 + size


def wide_layout(image: Image.Image) -> str:
    """Pillow's name for the samples of a picture of which it keeps the upper byte, or nothing.

    Args:
        image: opened, not yet loaded; images that no file is behind have none.
    """
    tile = getattr(image, "tile", None)
    args = tile[0].args if tile else ""
    name = str(args[0] if isinstance(args, tuple) and args else args)
    channels, separator, order = name.partition(";16")
    wide = separator and channels.startswith(("LA", "RGB", "CMYK")) and order in SWAPPED
    return name if wide else ""


def lower_bytes(image: ImageFile, layout: str) -> npt.NDArray[np.uint8]:
    """The bytes that Pillow drops, ``(H, W, 1 or 3)``: it is told the other byte order.

    Args:
        image: opened, not yet loaded.
        layout: as ``wide_layout`` says.

    Raises:
        ValueError: it does not know this layout in the other order.
    """
    channels, order = layout.split(";16")
    if channels == "LA":  # as four bytes: upper, lower, and those of transparency
        other, kept = "RGBA", slice(1, 2)
    elif channels in ("RGB", "RGBA", "RGBX"):
        other, kept = f"{channels};16{SWAPPED[order]}", slice(0, 3)
    else:
        raise ValueError(f"16-bit {channels} that uses fewer bits is not supported")
    image.tile = [
        tile._replace(args=(other, *tile.args[1:]) if isinstance(tile.args, tuple) else other)
        for tile in image.tile
    ]
    image.load()
    return np.asarray(image)[..., kept]
