"""One image file as an array of bytes: upright, grey or RGB, of eight bits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from pathnet_evo_images.depth import FULL, Depth, declared, lower_bytes, wide_layout
from pathnet_evo_images.stamps import open_regular

Pixels: TypeAlias = npt.NDArray[np.uint8]
Samples: TypeAlias = npt.NDArray[Any]
"""``(H, W, 1 or 3)``, uint8 or uint16."""

FORMATS = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PPM": (".pbm", ".pgm", ".pnm", ".ppm"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "AVIF": (".avif",),
    "JPEG2000": (".j2c", ".j2k", ".jp2", ".jpc", ".jpf", ".jpx"),
    "DDS": (".dds",),
    "PSD": (".psd",),
    "QOI": (".qoi",),
    "SUN": (".ras",),
    "ICNS": (".icns",),
    "XPM": (".xpm",),
    "DIB": (".dib",),
    "ICO": (".ico",),
    "PCX": (".pcx",),
    "TGA": (".icb", ".tga", ".vda", ".vst"),
}
"""Pillow's names of the formats that are read, and the endings that promise one of them. None of
them runs another program, as PostScript does."""
VAGUE = frozenset({"DIB", "ICO", "PCX", "TGA"})
"""Formats that other files can be mistaken for: read where an ending promises an image."""
PLAIN = [name for name in FORMATS if name not in VAGUE]
ENDINGS = frozenset(ending for endings in FORMATS.values() for ending in endings)

ORIENTATION, WHITE_IS_ZERO, PHOTOMETRIC = 0x0112, 0, 262
UPRIGHT: dict[int, Callable[[Samples], Samples]] = {
    2: lambda seen: seen[:, ::-1],
    3: lambda seen: seen[::-1, ::-1],
    4: lambda seen: seen[::-1],
    5: lambda seen: seen.swapaxes(0, 1),
    6: lambda seen: seen.swapaxes(0, 1)[:, ::-1],
    7: lambda seen: seen[::-1, ::-1].swapaxes(0, 1),
    8: lambda seen: seen.swapaxes(0, 1)[::-1],
}
"""What makes a picture upright, by EXIF's orientation."""


class Picture(NamedTuple):
    """A decoded file.

    Args:
        pixels: ``(1 or 3, H, W)``, grey or RGB.
        depth: of samples of 16 bits whose file does not say what the largest stands for.
    """

    pixels: Pixels
    depth: Depth | None


def read(file: str, promised: bool = True, bits: Mapping[int, int] | None = None) -> Picture | None:
    """Decode a file; transparency is dropped.

    Args:
        file: its path.
        promised: whether its ending promises an image.
        bits: how many bits of 16 are used, for each number that is declared; 16 where it is not
            among them.

    Returns:
        None where no image is promised and none is found.

    Raises:
        Exception: it is damaged, or not supported. Decoders raise almost anything.
    """
    with open_regular(file) as opened:
        try:
            image = Image.open(opened, formats=[*FORMATS] if promised else PLAIN)
        except Exception:
            if promised:
                raise
            return None
        with image:
            samples, said = _samples(image, opened, bits or {})
            upright = UPRIGHT.get(_orientation(image))
    if upright is not None:
        samples = upright(samples)
    found = None if said is None else Depth(said, _peak(samples))
    if samples.dtype != np.uint8:
        shift = (FULL if said is None else (bits or {}).get(said, FULL)) - 8
        samples = (samples >> shift).astype(np.uint8)
    return Picture(_channels_first(samples), found)


def of_image(image: Image.Image) -> Picture:
    """An opened image of eight bits a sample, upright, its transparency dropped.

    Raises:
        ValueError: it has more bits, or cannot be decoded. Decoders raise almost anything.
    """
    if image.mode.startswith("I") or image.mode == "F" or wide_layout(image):
        raise ValueError(f"{image.mode} pixels of more than 8 bits: convert them as in training")
    samples = _of_bytes(image)
    upright = UPRIGHT.get(_orientation(image))
    return Picture(_channels_first(samples if upright is None else upright(samples)), None)


def _channels_first(samples: Samples) -> Pixels:
    """Samples ``(H, W, C)`` as ``(C, H, W)``; no stride of a copy is negative."""
    return np.array(samples.transpose(2, 0, 1), order="C")


def _peak(samples: Samples) -> int:
    """The largest sample of 16 bits, at least that of which the upper eight are known."""
    peak = int(samples.max())
    return peak << 8 if samples.dtype == np.uint8 else peak


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation of a picture that is loaded; 1 where there is none, or it is damaged."""
    if isinstance(image, TiffImageFile):  # Pillow has turned it already
        return 1
    with suppress(Exception):
        return int(image.getexif().get(ORIENTATION, 1))
    return 1


def _samples(
    image: ImageFile, file: BinaryIO, bits: Mapping[int, int]
) -> tuple[Samples, int | None]:
    """Grey or RGB samples, and of how many bits they are said to be, where that leaves doubt."""
    mode, kind = image.mode, image.format
    if mode.startswith("I;16") or (mode == "I" and kind in ("PNG", "PPM")):
        stretched = kind in ("PPM", "JPEG2000")  # by Pillow, from the largest value that they name
        said = None if stretched else declared(image, file)
        grey = np.asarray(image).astype(np.uint16)[..., None]
        if isinstance(image, TiffImageFile) and image.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO:
            grey = np.iinfo(np.uint16).max - grey
        return grey, said
    if mode in ("I", "F"):
        raise ValueError(f"{mode} pixels of 32 bits, or with a sign, are not supported")
    layout = wide_layout(image)
    if not layout:
        return _of_bytes(image), None
    said = declared(image, file)
    upper = _of_bytes(image)[..., : 1 if layout.startswith("LA") else 3]
    if bits.get(said, FULL) == FULL and said == FULL and upper.max() >= 2 ** (14 - 8):
        return upper, said
    file.seek(0)
    with Image.open(file, formats=[str(kind)]) as again:
        lower = lower_bytes(again, layout)
    return upper.astype(np.uint16) << 8 | lower, said


def _of_bytes(image: Image.Image) -> Pixels:
    if image.mode in ("1", "L", "LA", "La"):
        return np.array(image.convert("L"))[..., None]
    if image.mode in ("P", "PA"):  # Pillow warns of transparency lost in one step
        image = image.convert("RGBA")
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
