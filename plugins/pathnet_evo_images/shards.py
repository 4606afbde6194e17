"""Features kept on disk between runs: verified when read, mapped into memory, never needed.

A shard is the hexadecimal SHA-256 of all that follows it; a line of facts, as JSON, padded so that
numbers are aligned; the SHA-256 of each image; the features. Shards of one backbone are read
together. As with decoded images, they are believed if nobody but this user can have written them.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pathnet_evo_images.private import open_private, private_folder, write_private

Features: TypeAlias = npt.NDArray[np.float32]
"""``(n, features)``."""

ENDING = ".features"
NAME_BYTES = hashlib.sha256().digest_size
"""Bytes that stand for an image."""
DIGEST_BYTES = 2 * NAME_BYTES
"""Bytes of the digest of a file, in hexadecimal."""
HEADER_BYTES = 4096
"""Bytes of the digest and the line of facts together."""
MAX_BYTES = 8 * 2**30
"""Bytes of all shards; the longest unused ones make room."""
ABANDONED_SECONDS = 86_400
"""Seconds after which a file that is still being written belongs to a process that was killed."""


@dataclass(frozen=True, eq=False)
class Shard:
    """Features of some images.

    Args:
        names: the SHA-256 of each image's pixels.
        values: of each image, in this order.
        file: where they are kept; None if they cannot be.
    """

    names: tuple[bytes, ...]
    values: Features
    file: Path | None = None


class _ForeignError(ValueError):
    """A shard of another backbone under this one's name."""


class Shards:
    """All that is kept for one backbone and its preprocessing.

    Args:
        key: hexadecimal; stands for all that decides about features besides the image.
        width: number of features.
        say: tells the user of what cannot be kept or read.
    """

    def __init__(self, key: str, width: int, say: Callable[[str], None]) -> None:
        self.key, self.width, self.say = key, width, say

    def load(self, wanted: Iterable[bytes]) -> dict[bytes, tuple[Shard, int]]:
        """Where the features of images are, as far as they are known.

        A damaged shard, or one of another backbone under this one's name, is removed and told of.
        """
        wanted, known = set(wanted), {}
        for file in self._files():
            shard = self._opened(file, wanted)
            if shard is None:
                continue
            for row, name in enumerate(shard.names):
                if name in wanted:
                    known[name] = shard, row
        for shard in {shard for shard, _ in known.values()}:
            _touch(shard.file)
        return known

    def keep(self, names: tuple[bytes, ...], values: Features) -> Shard:
        """Keep features: whole or not at all. Where they cannot be kept, the user is told."""
        content = b"".join(names)
        target = f"{self.key}-{hashlib.sha256(content).hexdigest()[:16]}{ENDING}"
        try:
            file = private_folder() / target
            _write(file, self._facts(len(names)), content, values)
            _make_room(file.parent)
        except OSError as error:
            self.say(
                f"features cannot be cached ({error.strerror}) and will be computed again next "
                "time. Set XDG_CACHE_HOME to a private, writable folder."
            )
            return Shard(names, values)
        return Shard(names, values, file)

    def merge(self, parts: Sequence[Shard]) -> Shard:
        """Keep several shards as one, in their place."""
        names = tuple(name for part in parts for name in part.names)
        whole = self.keep(names, np.concatenate([part.values for part in parts]))
        if whole.file is not None:
            for part in parts:
                _remove(part.file)
        return whole

    def _files(self) -> list[Path]:
        try:
            return sorted(private_folder().glob(f"{self.key}-*{ENDING}"))
        except OSError:
            return []

    def _facts(self, n: int) -> str:
        return json.dumps({"key": self.key, "images": n, "features": self.width})

    def _opened(self, file: Path, wanted: set[bytes]) -> Shard | None:
        """A shard, verified; None where it holds nothing that is wanted."""
        try:
            with open_private(file) as opened:
                stored = opened.read(DIGEST_BYTES).decode("ascii")
                facts = json.loads(opened.read(HEADER_BYTES - DIGEST_BYTES))
                n = int(facts["images"])
                if facts != json.loads(self._facts(n)):
                    raise _ForeignError
                content = opened.read(n * NAME_BYTES)
                names = tuple(
                    content[i : i + NAME_BYTES] for i in range(0, len(content), NAME_BYTES)
                )
                if len(names) == n and wanted.isdisjoint(names):
                    return None
                opened.seek(DIGEST_BYTES)
                if hashlib.file_digest(opened, "sha256").hexdigest() != stored:
                    raise ValueError("damaged")
                start = HEADER_BYTES + len(content)
                return Shard(
                    names, np.memmap(opened, np.float32, "c", start, (n, self.width)), file
                )
        except OSError:
            return None
        except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
            reason = "of another backbone" if isinstance(error, _ForeignError) else "damaged"
            self.say(f"the cached features in {file} are {reason} and are computed again")
            _remove(file)
            return None


def _write(file: Path, facts: str, content: bytes, values: Features) -> None:
    line = facts.encode().ljust(HEADER_BYTES - DIGEST_BYTES - 1) + b"\n"
    data = np.ascontiguousarray(values, dtype=np.float32).data
    digest = hashlib.sha256(line)
    digest.update(content)
    digest.update(data)
    write_private(file, digest.hexdigest().encode() + line + content, data)


def _make_room(folder: Path) -> None:
    """Remove shards, the longest unused first, until the rest is within ``MAX_BYTES``."""
    found = []
    for file in folder.glob(f"*{ENDING}*"):
        with suppress(OSError):  # another process has removed it
            status = file.stat()
            if file.name.endswith(ENDING):
                found.append((status, file))
            elif time.time() - status.st_mtime > ABANDONED_SECONDS:
                _remove(file)
    found.sort(key=lambda pair: pair[0].st_mtime_ns, reverse=True)
    total = 0
    for status, file in found:
        total += status.st_size
        if total > MAX_BYTES and (status, file) != found[0]:
            _remove(file)


def _touch(file: Path | None) -> None:
    """Note that a shard was used."""
    if file is not None:
        with suppress(OSError):
            os.utime(file)


def _remove(file: Path | None) -> None:
    if file is not None:
        with suppress(OSError):
            file.unlink()
