"""A level as a WAD in the cache, built at first use."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path

from pathnet_evo import cache_folder
from pathnet_evo_labyrinth.actors import decorate
from pathnet_evo_labyrinth.drawings import sprites, textures
from pathnet_evo_labyrinth.geometry import udmf
from pathnet_evo_labyrinth.level import Level, LevelError
from pathnet_evo_labyrinth.wad import png, wad

LONGEST_TITLE = 64
"""Characters of a level's name in files."""


def lumps(level: Level) -> list[tuple[str, bytes]]:
    """Everything that the engine needs of a level: a map for each layout."""
    found = [("DECORATE", decorate(level).encode()), ("ZMAPINFO", _mapinfo(level).encode())]
    found.append(("S_START", b""))
    found += [(name, png(picture, origin)) for name, (picture, origin) in sprites().items()]
    found += [("S_END", b""), ("TX_START", b"")]
    found += [(name, png(picture)) for name, picture in textures().items()]
    found.append(("TX_END", b""))
    for i, layout in enumerate(level.layouts):
        text = udmf(layout, level.ceiling).encode()
        found += [(map_name(i), b""), ("TEXTMAP", text), ("ENDMAP", b"")]
    return found


def map_name(layout: int) -> str:
    """What the engine calls the map of a layout."""
    return f"MAP{layout + 1:02}"


def built(level: Level) -> Path:
    """The level's WAD; written atomically, and rebuilt if damaged.

    Raises:
        LevelError: the cache folder cannot be written.
    """
    data = wad(lumps(level))
    digest = hashlib.sha256(data).hexdigest()[:16]
    title = _title(level)
    target = cache_folder() / "labyrinth" / f"{title}-{digest}.wad"
    with suppress(OSError):
        if target.read_bytes() == data:
            return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f"{title}.tmp-", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(name, target)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise LevelError(
            f"level {level.name}: cannot be kept in {target.parent} ({error.strerror}): "
            "set XDG_CACHE_HOME to a writable folder"
        ) from None
    return target


def _mapinfo(level: Level) -> str:
    maps = [
        f'map {map_name(i)} "{_title(level)}"\n{{\n  nointermission\n  allowjump\n}}'
        for i in range(len(level.layouts))
    ]
    return "\n".join(['gameinfo\n{\n  playerclasses = "LabPlayer"\n}', *maps, ""])


def _title(level: Level) -> str:
    """The level's name, which may be any file's, as files and the engine's own language have it."""
    return re.sub(r"[^A-Za-z0-9_ -]", "_", level.name)[:LONGEST_TITLE]
