"""Odd trees of images, each made from its number, and what is to be read of them.

A tree has classes with odd names; files of odd modes, depths, formats, endings, orientations and
damages; links, FIFOs, sockets, hidden and system-made files among them.
"""

from __future__ import annotations

import io
import os
import socket
import struct
import unicodedata
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Array = npt.NDArray[Any]

NAMES = ["a", "b", "Zoë", "x" * 200, "-rf", "a b", "'\"", "$HOME", "猫", "é%20", "CON", "a.b"]
ENDINGS = {
    "PNG": [".png", ".PNG", ".jpg", "", ".dat", ".Png"],
    "JPEG": [".jpg", ".JPEG", ".jfif", ".jpe", ".png", ""],
    "TIFF": [".tif", ".TIFF", ".scan"],
    "WEBP": [".webp", ".img"],
    "BMP": [".bmp", ".old"],
    "GIF": [".gif", ".anim"],
    "PPM": [".pgm", ".ppm", ".pnm", ".raw"],
}
JUNK = ["Thumbs.db", ".DS_Store", "._0.png", "desktop.ini", ".hidden.png"]
TEXTS = [b"", b"notes", b"BMW", b"P5 is a room", b"\x89PNG", b"II*\0", b"GIF89a", bytes(500)]


@dataclass
class Case:
    """A tree that was written, and what it must be read as.

    Args:
        root: where.
        size: what the images are brought to; None where all have one size.
        channels: what is asked for.
        images: ``(H, W, 1 or 3)`` of bytes, by path within the tree; None for a damaged file.
        spoiled: whether damaged images and links to nothing are among them.
        broken: whether one was written, so that an error is right.
        tolerance: how far a value may be off by rounding.
        bits: of the undeclared samples of 16 bits.
    """

    root: Path
    size: int | None
    channels: int | None
    images: dict[str, Array | None] = field(default_factory=dict)
    spoiled: bool = False
    broken: bool = False
    tolerance: int = 0
    bits: int = 16


def write(root: Path, number: int) -> Case:
    """Write the tree of a number."""
    rng = np.random.default_rng(number)
    one_size = rng.random() < 0.5
    case = Case(
        root,
        None if one_size else int(rng.integers(1, 12)),
        [None, 1, 3][rng.integers(3)],
        bits=int(rng.choice([8, 10, 12, 14, 16])),
        spoiled=bool(rng.random() < 0.25),
    )
    shape = (int(rng.integers(1, 9)),) * 2
    names = [NAMES[i] for i in rng.choice(len(NAMES), rng.integers(2, 4), replace=False)]
    for split in ("train", "test"):
        for name in names:
            form = "NFD" if rng.random() < 0.5 else "NFC"
            folder = root / split / unicodedata.normalize(form, name)
            folder.mkdir(parents=True)
            if rng.random() < 0.2:
                folder = folder / "deep" / "er"
                folder.mkdir(parents=True)
            for index in range(rng.integers(1, 4)):
                size = shape if one_size else tuple(int(s) for s in rng.integers(1, 12, 2))
                _image(case, rng, folder, index, size)
            if rng.random() < 0.3:
                _junk(case, rng, folder)
        if rng.random() < 0.2:
            (root / split / "@eaDir").mkdir()
        if rng.random() < 0.1:
            (root / split / "readme.txt").write_text("outside")
    return case


def _image(case: Case, rng: np.random.Generator, folder: Path, index: int, size: Any) -> None:
    """Write an image of any kind; remember what it shows."""
    kinds = [_bytes, _png_of_16_bits, _netpbm, _tiff_of_16_bits]
    data, shown, kind, tolerance = kinds[rng.choice(4, p=[0.7, 0.15, 0.1, 0.05])](case, rng, size)
    case.tolerance = max(case.tolerance, tolerance)
    if case.spoiled and rng.random() < 0.2:
        data, shown = _damaged(rng, data), None
        case.broken = True
    ending = ENDINGS[kind][rng.integers(len(ENDINGS[kind]))]
    file = folder / f"{index}{rng.choice(['', ' é', chr(10), chr(27) + '[2J', '%s'])}{ending}"
    file.write_bytes(data)
    if rng.random() < 0.1:  # elsewhere, with a link in its place
        there = case.root / f"elsewhere-{len(case.images)}"
        os.rename(file, there)
        os.symlink(there, file)
    case.images[str(file.relative_to(case.root))] = shown


def _bytes(case: Case, rng: np.random.Generator, size: Any) -> tuple[bytes, Array, str, int]:
    """Eight bits, in a mode and format of Pillow's, turned as its orientation says."""
    mode = str(rng.choice(["L", "RGB", "RGBA", "LA", "1", "P", "CMYK"]))
    kind = str(rng.choice(["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"]))
    if (mode, kind) in {("CMYK", k) for k in ("PNG", "WEBP", "BMP", "GIF")} | {("P", "JPEG")}:
        mode = "RGB"
    if mode in ("RGBA", "LA") and kind in ("JPEG", "GIF", "BMP"):
        mode = "RGB"
    if mode in ("L", "1", "P") and kind == "WEBP":
        mode = "RGB"
    bands = len(Image.new(mode, (1, 1)).getbands())
    drawn = rng.integers(0, 256, (*size, bands), dtype=np.uint8)
    if mode in ("RGBA", "LA"):
        drawn[..., -1] |= 1  # what is fully transparent has no colour to keep
    if mode in ("1", "P"):
        image = Image.fromarray(drawn[..., 0]).convert(mode)
    else:
        image = Image.fromarray(drawn[..., 0] if bands == 1 else drawn, mode if bands > 3 else None)
    orientation = int(rng.integers(1, 9)) if kind in ("PNG", "JPEG", "TIFF", "WEBP") else 1
    options: dict[str, Any] = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    if orientation > 1:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options["exif"] = exif
    written = io.BytesIO()
    image.save(written, kind, **options)
    plain = io.BytesIO()  # the same without orientation: what Pillow then reads is not yet turned
    options.pop("exif", None)
    image.save(plain, kind, **options)
    with Image.open(plain) as again:
        grey = again.mode in ("1", "L", "LA")
        seen = np.asarray(again.convert("L" if grey else "RGBA").convert("L" if grey else "RGB"))
    return written.getvalue(), turned(seen.reshape(*size, -1), orientation), kind, 0


def _png_of_16_bits(
    case: Case, rng: np.random.Generator, size: Any
) -> tuple[bytes, Array, str, int]:
    """Grey or colour with or without transparency, of fewer bits, declared or not."""
    bands = int(rng.integers(1, 5))
    colours = 1 if bands < 3 else 3
    declare = rng.random() < 0.3
    bits = 12 if declare else case.bits
    samples = rng.integers(0, 2**bits, (*size, bands), dtype=np.uint16)
    samples[0, 0, :colours] = 2**bits - 1
    data = png(samples, [bits] * bands if declare else None)
    return data, samples[..., :colours].astype(float) * 255 / (2**bits - 1), "PNG", 1


def png(samples: Array, significant: list[int] | None = None) -> bytes:
    """A PNG of 16 bits, written by hand.

    Args:
        samples: ``(H, W, 1 ... 4)``.
        significant: bits that count, a number for each band.
    """

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    height, width, bands = samples.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[bands]
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0))
        + (chunk(b"sBIT", bytes(significant)) if significant else b"")
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def _netpbm(case: Case, rng: np.random.Generator, size: Any) -> tuple[bytes, Array, str, int]:
    """A PGM or PPM of any largest value, binary or in digits."""
    largest = int(rng.choice([1, 15, 100, 255, 256, 1000, 4095, 65535]))
    bands = int(rng.choice([1, 3]))
    samples = rng.integers(0, largest + 1, (*size, bands))
    letter = {1: "2", 3: "3"} if rng.random() < 0.3 else {1: "5", 3: "6"}
    head = f"P{letter[bands]}\n# made up\n{size[1]} {size[0]}\n{largest}\n".encode()
    if letter[bands] in "23":
        body = " ".join(map(str, samples.ravel())).encode() + b"\n"
    else:
        body = samples.astype(">u2" if largest > 255 else "u1").tobytes()
    return head + body, samples * 255 / largest, "PPM", 1


def _tiff_of_16_bits(
    case: Case, rng: np.random.Generator, size: Any
) -> tuple[bytes, Array, str, int]:
    """Grey, from Pillow."""
    samples = rng.integers(0, 2**case.bits, size, dtype=np.uint16)
    samples[0, 0] = 2**case.bits - 1
    written = io.BytesIO()
    compression = [None, "tiff_lzw", "tiff_adobe_deflate"][rng.integers(3)]
    Image.fromarray(samples).save(written, "TIFF", compression=compression)
    shown = samples[..., None].astype(float) * 255 / (2**case.bits - 1)
    return written.getvalue(), shown, "TIFF", 1


def turned(stored: Array, orientation: int) -> Array:
    """What a picture shows, by EXIF's own words: where its row 0 and its column 0 are seen."""
    sides = [
        ("top", "left"),
        ("top", "right"),
        ("bottom", "right"),
        ("bottom", "left"),
        ("left", "top"),
        ("right", "top"),
        ("right", "bottom"),
        ("left", "bottom"),
    ]
    row_0, column_0 = sides[orientation - 1]
    height, width = stored.shape[:2]
    upright = row_0 in ("top", "bottom")
    shown = np.empty(
        ((height, width) if upright else (width, height)) + stored.shape[2:], stored.dtype
    )
    for i in range(height):
        for j in range(width):
            along_row = i if row_0 in ("top", "left") else height - 1 - i
            along_column = j if column_0 in ("top", "left") else width - 1 - j
            shown[(along_row, along_column) if upright else (along_column, along_row)] = stored[
                i, j
            ]
    return shown


def _damaged(rng: np.random.Generator, data: bytes) -> bytes:
    if rng.random() < 0.3:
        return TEXTS[rng.integers(len(TEXTS))]
    if rng.random() < 0.5:
        return data[: rng.integers(len(data))]
    spoiled = bytearray(data)
    for at in rng.integers(0, len(data), rng.integers(1, 10)):
        spoiled[at] = rng.integers(256)
    return bytes(spoiled)


def _junk(case: Case, rng: np.random.Generator, folder: Path) -> None:
    """Put something into a folder that is no image; some of it is an error, the rest skipped."""
    kind = rng.integers(9 if case.spoiled else 7)
    if kind == 0:
        os.mkfifo(folder / "fifo.png")
    elif kind == 1:
        with socket.socket(socket.AF_UNIX) as made:
            here = os.open(folder, os.O_RDONLY)
            made.bind(f"/proc/self/fd/{here}/socket.jpg")
            os.close(here)
    elif kind == 2:
        os.symlink("/dev/zero", folder / "device.png")
    elif kind == 3:
        os.symlink("..", folder / "upwards")
    elif kind == 4:
        os.symlink("nothing", folder / "dangling")
    elif kind == 5:
        (folder / JUNK[rng.integers(len(JUNK))]).write_bytes(TEXTS[rng.integers(len(TEXTS))])
    elif kind == 6:
        (folder / "notes.txt").write_bytes(TEXTS[rng.integers(len(TEXTS))])
    else:
        os.symlink(["nothing", "itself.png"][kind - 7], folder / "itself.png")
        case.broken = True
