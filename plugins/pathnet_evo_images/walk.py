"""What lies in a tree of images: the folders of its classes, files, and what is passed over."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pathnet_evo import CONTROLS
from pathnet_evo_images.picture import ENDINGS
from pathnet_evo_images.source import Place, composed
from pathnet_evo_images.stamps import Stamp, stamp

SYSTEM = frozenset(
    {
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "@eadir",
        "@tmp",
        "__macosx",
        "desktop.ini",
        "ehthumbs.db",
        "icon\r",
        "lost+found",
        "network trash folder",
        "recycler",
        "system volume information",
        "temporary items",
        "thumbs.db",
    }
)
"""Files and folders that file managers and storage devices make, in lower case."""

HIDDEN = "hidden or made by the system"
NOT_IMAGES = "that are not images"
IRREGULAR = "that are not regular files"
LINKED_FOLDER = "links to folders"
DEAD_LINK = "links to nothing"
LOOSE = "outside the folders of classes"
SHOWN = 3
"""Names given for each reason."""


class Skipped:
    """Files and folders of a tree that are passed over, by reason."""

    def __init__(self) -> None:
        self.names: dict[str, list[str]] = {}

    def add(self, reason: str, name: str) -> None:
        """Note a file or folder."""
        self.names.setdefault(reason, []).append(name)

    def __str__(self) -> str:
        """How many, why, and some of their names; nothing where nothing was passed over."""
        return ", ".join(
            f"{len(names)} {reason} ({', '.join(sorted(set(names))[:SHOWN])}"
            f"{', ...' if len(set(names)) > SHOWN else ''})"
            for reason, names in sorted(self.names.items())
        )


class Found(NamedTuple):
    """A file that may be an image.

    Args:
        stamp: its path and state.
        promised: whether its ending promises an image.
    """

    stamp: Stamp
    promised: bool


def made_by_the_system(name: str) -> bool:
    """Whether a file or folder is hidden, or not made by its user."""
    return name.startswith(".") or name.lower() in SYSTEM


def class_folders(place: Place, split: Path) -> dict[str, Path]:
    """The folders in ``train`` or ``test`` by the names of their classes, in alphabetical order.

    Raises:
        TaskError: two of them have one name, or one has a name that cannot be shown.
    """
    found: dict[str, Path] = {}
    if not split.is_dir():
        return found
    with os.scandir(split) as entries:
        folders = sorted(e.name for e in entries if not made_by_the_system(e.name) and e.is_dir())
    for folder in folders:
        name = composed(folder)
        if CONTROLS.search(name):
            raise place.error(
                f"the folder {split / folder} has a name that is not UTF-8 or holds control "
                "characters. Rename it."
            )
        if name in found:
            raise place.error(
                f"two folders in {split} are called {name}, in composed and decomposed Unicode. "
                "Move the images of one into the other."
            )
        found[name] = split / folder
    return dict(sorted(found.items()))


def loose(split: Path, skipped: Skipped) -> None:
    """Note what lies in ``train`` or ``test`` and is no folder of a class."""
    with os.scandir(split) as entries:
        for entry in entries:
            if made_by_the_system(entry.name):
                skipped.add(HIDDEN, entry.name)
            elif not entry.is_dir():
                skipped.add(LOOSE, entry.name)


def files(place: Place, folder: Path, skipped: Skipped) -> Iterator[Found]:
    """The files in a class's folder, and in the folders within it, that may be images.

    Raises:
        TaskError: one that promises to be an image cannot be read.
    """
    waiting = [str(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if made_by_the_system(entry.name):
                    skipped.add(HIDDEN, entry.name)
                elif entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif found := _file(place, entry, skipped):
                    yield found


def _file(place: Place, entry: os.DirEntry[str], skipped: Skipped) -> Found | None:
    promised = os.path.splitext(entry.name)[1].lower() in ENDINGS
    try:
        status = entry.stat()
        if stat.S_ISREG(status.st_mode):
            return Found(stamp(entry.path, status), promised)
    except OSError as error:
        if promised:
            raise place.error(
                f"cannot read {entry.path} ({error.strerror or error}). Replace or delete it."
            ) from None
        skipped.add(DEAD_LINK, entry.name)
        return None
    skipped.add(LINKED_FOLDER if stat.S_ISDIR(status.st_mode) else IRREGULAR, entry.name)
    return None
