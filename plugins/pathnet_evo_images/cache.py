"""Decoded images kept on disk between runs: verified when read, never needed.

An entry is the hexadecimal SHA-256 of all that follows it; a line of facts, as JSON; the pixels.
It is believed if nobody but this user can have written it, and it was made for the same key. Each
entry replaces the one before it, so what is kept does not grow as images change.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from pathlib import Path

import numpy as np

from pathnet_evo_images.decode import Decoded
from pathnet_evo_images.private import open_private, private_folder, write_private

LONGEST_LINE = 2**24
"""Bytes of a line of facts, at most."""


def load(name: str, key: str, n: int) -> Decoded | None:
    """What is kept under a name; None where there is nothing, or not for this key, or damaged.

    Args:
        name: hexadecimal.
        key: stands for all that decides about the pixels.
        n: number of files.
    """
    try:
        with open_private(_location(name)) as file:
            digest = file.readline(100).strip().decode("ascii")
            line = file.readline(LONGEST_LINE)
            facts = json.loads(line)
            shape = tuple(facts["shape"])
            left = os.fstat(file.fileno()).st_size - file.tell()
            if facts["key"] != key or len(shape) != 4 or shape[0] + len(facts["others"]) != n:
                return None
            if min(shape) < 1 or math.prod(shape) != left:
                return None
            pixels = np.empty(shape, dtype=np.uint8)
            if file.readinto(pixels.data.cast("B")) != left:
                return None
            digests = tuple(map(str, facts.get("digests", ())))
            found = Decoded(pixels, tuple(facts["others"]), facts["remark"], digests)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, MemoryError):
        return None
    return found if _digest(line, found) == digest else None


def save(name: str, key: str, found: Decoded) -> None:
    """Keep decoded images: whole or not at all.

    Args:
        name: hexadecimal.
        key: stands for all that decides about the pixels.
        found: what was decoded.

    Raises:
        OSError: they cannot be kept.
    """
    facts = {
        "key": key,
        "shape": found.pixels.shape,
        "others": found.others,
        "remark": found.remark,
        "digests": found.digests,
    }
    line = json.dumps(facts).encode() + b"\n"
    pixels = np.ascontiguousarray(found.pixels).data
    write_private(_location(name), _digest(line, found).encode() + b"\n" + line, pixels)


def _location(name: str) -> Path:
    return private_folder() / f"{name}.pixels"


def _digest(line: bytes, found: Decoded) -> str:
    digest = hashlib.sha256(line)
    digest.update(np.ascontiguousarray(found.pixels).data)
    return digest.hexdigest()
