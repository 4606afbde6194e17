"""Trees of images, ``train/CLASS/*`` and ``test/CLASS/*``: what is in them, and decoding it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from pathnet_evo_images.cache import load, save
from pathnet_evo_images.decode import decode_all
from pathnet_evo_images.lock import exclusive
from pathnet_evo_images.pixels import Frame
from pathnet_evo_images.source import Images, Place, Source, Stamp

ENDINGS = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
"""Endings of the files that are read; all others are left alone."""

CACHE_FORMAT = 1
"""To be raised whenever decoding changes."""


def is_tree(root: Path) -> bool:
    """Whether a folder has one of a tree's two branches."""
    return (root / "train").is_dir() or (root / "test").is_dir()


def class_names(split: Path) -> tuple[str, ...]:
    """The folders in ``train`` or ``test``, in alphabetical order, hidden ones left out."""
    if not split.is_dir():
        return ()
    with os.scandir(split) as entries:
        return tuple(sorted(e.name for e in entries if e.is_dir() and e.name[0] != "."))


@dataclass(frozen=True)
class Tree(Source):
    """A tree of images that was walked; the digest stands for its files.

    Within a split, files are in a fixed order that mixes the classes (by the hash of their names),
    so that no stretch of the data is of one class only.

    Args:
        digest: SHA-256 of the tree's path and all stamps.
        names: the classes, in order.
        files: training files, then test files.
        labels: for each file the index of its class.
        n_train: how many of them are training files.
        native: the frame to decode to whatever is wanted, where all images are known to have one
            size: decoded once, they then serve every frame.
    """

    digest: str = ""
    names: tuple[str, ...] = ()
    files: tuple[str, ...] = field(default=(), compare=False, repr=False)
    labels: tuple[int, ...] = field(default=(), compare=False, repr=False)
    n_train: int = 0
    native: Frame | None = None

    @classmethod
    def find(
        cls, place: Place, root: Path, names: Sequence[str], native: Frame | None = None
    ) -> Tree:
        """Walk a tree.

        Args:
            place: who asks.
            root: the folder with ``train`` and ``test``.
            names: the classes, in the order wanted.
            native: as the argument of the class.

        Raises:
            TaskError: a split or a class is missing, empty, or only in ``test``.
        """
        found: list[list[tuple[Stamp, int]]] = []
        for split in ("train", "test"):
            folder = root / split
            if not folder.is_dir():
                raise place.error(
                    f"no folder {folder}. Put a part of each class's images (say, a fifth of "
                    f"them, in none of both) into {folder}/CLASS/."
                )
            extra = sorted(set(class_names(folder)) - set(names))
            if extra:
                raise place.error(
                    f"{folder / extra[0]} is a class that train/ does not have. Move it away, or "
                    "give it training images."
                )
            found.append(_split(place, folder, names))
        if len(names) < 2:
            raise place.error(f"{root / 'train'} holds {len(names)} classes; a task needs two.")
        train, test = found
        every = train + test
        facts = json.dumps([str(root.resolve()), list(names), len(train), every])
        return cls(
            place,
            (),
            hashlib.sha256(facts.encode("utf-8", "surrogateescape")).hexdigest(),
            tuple(names),
            tuple(file for (file, _, _), _ in every),
            tuple(label for _, label in every),
            len(train),
            native,
        )

    def read(self, frame: Frame) -> Images:
        """Decode all files to their frame, or read what was kept the last time."""
        frame = self.native or frame
        facts = f"{CACHE_FORMAT} {self.digest} {frame}"
        key = hashlib.sha256(facts.encode()).hexdigest()
        with exclusive(f"decode {key}"):
            pixels = load(key, len(self.files))
            if pixels is None:
                pixels = decode_all(self.place, self.files, frame)
                save(key, pixels)
        images = torch.from_numpy(pixels)
        labels = torch.from_numpy(np.array(self.labels, dtype=np.int64))
        n = self.n_train
        return Images(images[:n], labels[:n], images[n:], labels[n:], self.names)


def _split(place: Place, folder: Path, names: Sequence[str]) -> list[tuple[Stamp, int]]:
    keyed: list[tuple[bytes, Stamp, int]] = []
    for label, name in enumerate(names):
        before = len(keyed)
        for entry in _walk(folder / name):
            relative = os.path.relpath(entry.path, folder).replace(os.sep, "/")
            try:
                status = entry.stat()
            except OSError as error:
                raise place.error(
                    f"cannot read {entry.path} ({error.strerror}). Replace or delete it."
                ) from None
            order = hashlib.sha256(relative.encode("utf-8", "surrogateescape")).digest()
            keyed.append((order, (entry.path, status.st_size, status.st_mtime_ns), label))
        if len(keyed) == before:
            raise place.error(
                f"no images in {folder / name} (looked for {', '.join(sorted(ENDINGS))}). "
                "Every class needs some, in train/ and in test/."
            )
    return [(stamp, label) for _, stamp, label in sorted(keyed)]


def _walk(folder: Path | str) -> Iterator[os.DirEntry[str]]:
    """The images in a folder and its folders; hidden ones, and links to folders, left out."""
    if not os.path.isdir(folder):
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path)
            elif os.path.splitext(entry.name)[1].lower() in ENDINGS:
                yield entry
