"""Decoded images kept on disk between runs: verified when read, never trusted, never needed."""

from __future__ import annotations

import hashlib
import os
import tempfile
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np

from pathnet_evo.tasks import cache_folder
from pathnet_evo_images.decode import Pixels


def location(key: str) -> Path:
    """The file that holds what is kept under a key; it may be deleted at any time."""
    return cache_folder() / "images" / f"{key}.npz"


def load(key: str, n: int) -> Pixels | None:
    """What is kept under a key; None where there is nothing or it is damaged.

    Args:
        key: hexadecimal.
        n: number of images.

    Returns:
        ``(n, C, H, W)`` uint8.
    """
    try:
        with location(key).open("rb") as file, np.load(file, allow_pickle=False) as kept:
            pixels, digest = kept["pixels"], str(kept["digest"])
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error):
        return None
    except NotImplementedError:  # a damaged header can ask for a compression there isn't
        return None
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or len(pixels) != n:
        return None
    return pixels if _digest(pixels) == digest else None


def save(key: str, pixels: Pixels) -> None:
    """Keep decoded images: whole or not at all. Where that cannot be, a warning says so.

    Args:
        key: hexadecimal.
        pixels: ``(n, C, H, W)`` uint8.
    """
    target = location(key)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f"{key}.tmp-", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, pixels=pixels, digest=np.array(_digest(pixels)))
            os.replace(name, target)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        warnings.warn(
            f"decoded images cannot be kept in {target.parent} ({error.strerror}): they will be "
            "decoded again next time. Set XDG_CACHE_HOME to a folder that can be written.",
            stacklevel=2,
        )


def _digest(pixels: Pixels) -> str:
    return hashlib.sha256(
        str(pixels.shape).encode() + np.ascontiguousarray(pixels).data
    ).hexdigest()
