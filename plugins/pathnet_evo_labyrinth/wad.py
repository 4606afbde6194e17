"""WAD files and the PNG pictures in them, written byte by byte: what the engine reads."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def wad(lumps: Sequence[tuple[str, bytes]]) -> bytes:
    """A WAD that adds to the game's own.

    Args:
        lumps: names of at most eight characters, and what they hold, in order.
    """
    body, directory, offset = io.BytesIO(), io.BytesIO(), 12
    for name, data in lumps:
        directory.write(struct.pack("<ii8s", offset, len(data), name.encode("ascii")))
        body.write(data)
        offset += len(data)
    return b"PWAD" + struct.pack("<ii", len(lumps), offset) + body.getvalue() + directory.getvalue()


def png(pixels: NDArray[np.uint8], origin: tuple[int, int] | None = None) -> bytes:
    """A picture as PNG.

    Args:
        pixels: ``(height, width, 4)``, red, green, blue and opacity.
        origin: the pixel that stands on a thing's position, ``(x, y)``; for sprites.
    """
    height, width, _ = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], 1)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))]
    if origin is not None:
        chunks.append((b"grAb", struct.pack(">ii", *origin)))
    chunks += [(b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
