"""Trees of images, decoded whole or read from the cache.

A tree has ``train/CLASS/*`` and ``test/CLASS/*``, or only ``CLASS/*``, split by content.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL
import torch

from pathnet_evo_images import content
from pathnet_evo_images.cache import load, save
from pathnet_evo_images.decode import Decoded, decode_all
from pathnet_evo_images.lock import exclusive
from pathnet_evo_images.pixels import Frame
from pathnet_evo_images.source import Images, Place, Source, composed
from pathnet_evo_images.stamps import settle
from pathnet_evo_images.walk import NOT_IMAGES, Found, Skipped, class_folders, files, loose

SPLITS = ("train", "test")
CACHE_FORMAT = 2
"""To be raised whenever decoding changes."""


def is_tree(root: Path) -> bool:
    """Whether a folder has one of a tree's two branches."""
    return any((root / split).is_dir() for split in SPLITS)


@dataclass(frozen=True)
class Tree(Source):
    """A tree of images that was walked; the digest stands for its files.

    Within a split, files are in a fixed order that mixes the classes (by the hash of their names),
    so that no stretch of the data is of one class only.

    Args:
        digest: SHA-256 of the tree's path and all stamps.
        root: the folder with ``train`` and ``test``, or with the classes, without links on the way.
        names: the classes, in order.
        n_train: how many of the files are training files; None where content decides.
        test_fraction: the share of test files where content decides.
        native: the frame to decode to whatever is wanted, where all images are known to have one
            size: decoded once, they then serve every frame.
        files: training files, then test files; mixed where content decides.
        labels: for each file the index of its class.
        skipped: what is no file of a class, in a line.
    """

    digest: str
    root: str
    names: tuple[str, ...]
    n_train: int | None
    test_fraction: float
    native: Frame | None
    files: tuple[Found, ...] = field(compare=False, repr=False)
    labels: tuple[int, ...] = field(compare=False, repr=False)
    skipped: Skipped = field(compare=False)

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
        skipped = Skipped()
        found: list[list[tuple[Found, int]]] = []
        for split in SPLITS:
            folder = root / split
            if not folder.is_dir():
                raise place.error(
                    f"no folder {folder}. Move some images of each class (say, a fifth) into "
                    f"{folder}/CLASS/."
                )
            folders = class_folders(place, folder)
            extra = sorted(set(folders) - set(names))
            if extra:
                raise place.error(
                    f"{folders[extra[0]]} is a class without a folder in train/. Move it away, or "
                    "add training images."
                )
            loose(folder, skipped)
            found.append(
                _split(place, folder, [folders.get(n, folder / n) for n in names], skipped)
            )
        train, test = found
        return cls._of(
            place, root / "train", root, names, train + test, len(train), 0, native, skipped
        )

    @classmethod
    def find_unsplit(
        cls, place: Place, root: Path, names: Sequence[str], test_fraction: float
    ) -> Tree:
        """Walk a folder of classes that has no training and test folders.

        Args:
            place: who asks.
            root: the folder with a folder for each class.
            names: the classes, in the order wanted.
            test_fraction: the share of test files.

        Raises:
            TaskError: a class is empty, or there are fewer than two.
        """
        skipped, folders = Skipped(), class_folders(place, root)
        loose(root, skipped)
        found = _split(place, root, [folders[name] for name in names], skipped)
        return cls._of(place, root, root, names, found, None, test_fraction, None, skipped)

    @classmethod
    def _of(
        cls,
        place: Place,
        home: Path,
        root: Path,
        names: Sequence[str],
        every: Sequence[tuple[Found, int]],
        n_train: int | None,
        test_fraction: float,
        native: Frame | None,
        skipped: Skipped,
    ) -> Tree:
        """A tree of files that were found; ``home`` is where its classes lie."""
        if len(names) < 2:
            only = "" if not names else f" ({names[0]})"
            raise place.error(
                f"{home} holds {len(names)} class{'es' * (not names)}{only}; a task needs two."
            )
        resolved = str(root.resolve())
        split = [n_train] if n_train is not None else ["by content", test_fraction]
        facts = json.dumps([resolved, list(names), *split, every])
        return cls(
            place,
            (),
            hashlib.sha256(facts.encode()).hexdigest(),
            resolved,
            tuple(names),
            n_train,
            test_fraction,
            native,
            tuple(file for file, _ in every),
            tuple(label for _, label in every),
            skipped,
        )

    def read(self, frame: Frame) -> Images:
        """Decode all files to their frame, or read what was kept the last time."""
        frame = self.native or frame
        name = _sha256(f"{json.dumps(self.root)} {json.dumps(self.names)} {frame}")
        versions = f"{CACHE_FORMAT} {PIL.__version__} {torch.__version__}"
        key = _sha256(f"{versions} {self.digest} {frame}")
        with exclusive(f"decode {name}"):
            found = load(name, key, len(self.files))
            if found is None:
                found = self._decode(frame, name, key)
        self._say(found)
        is_image = np.ones(len(self.files), dtype=np.bool_)
        is_image[list(found.others)] = False
        labels = torch.from_numpy(np.array(self.labels, dtype=np.int64)[is_image])
        images = torch.from_numpy(found.pixels)
        if self.n_train is None:
            tested = self._tested(found, is_image, labels)
            parts = (images[~tested], labels[~tested], images[tested], labels[tested])
        else:
            n = int(is_image[: self.n_train].sum())
            parts = (images[:n], labels[:n], images[n:], labels[n:])
        self._check_classes(parts[1], parts[3])
        return Images(*parts, self.names)

    def _tested(
        self, found: Decoded, is_image: npt.NDArray[np.bool_], labels: torch.Tensor
    ) -> torch.Tensor:
        """Which images are for testing, by content; ``(images,)`` bool."""
        digests = [digest for digest, image in zip(found.digests, is_image, strict=True) if image]
        try:
            return torch.tensor(
                content.for_testing(digests, labels.tolist(), self.test_fraction), dtype=torch.bool
            )
        except content.LonelyClassError as error:
            raise self.place.error(
                f"{Path(self.root) / self.names[error.label]} needs two different pictures at "
                "least: one to train on, and one to test with."
            ) from None

    def _decode(self, frame: Frame, name: str, key: str) -> Decoded:
        """Decode all files, and keep the pixels for the next time if they are certain.

        Raises:
            TaskError: as for ``read``, or a file changed meanwhile.
        """
        settled = settle(file.stamp for file in self.files)
        found = decode_all(self.place, self.files, frame)
        if self.n_train is None:
            found = replace(found, digests=content.digests(self.files))
        self.place.check_unchanged(file.stamp for file in self.files)
        self._keep(name, key, found, settled)
        return found

    def _keep(self, name: str, key: str, found: Decoded, settled: bool) -> None:
        if not settled:
            self.place.say(
                f"decoded images are not cached: files in {self.root} have modification times in "
                "the future. Check the clock."
            )
            return
        try:
            save(name, key, found)
        except OSError as error:
            self.place.say(
                f"decoded images cannot be cached ({error.strerror}) and will be decoded again "
                "next time. Set XDG_CACHE_HOME to a private, writable folder."
            )

    def _say(self, found: Decoded) -> None:
        """Say what is not read, and what is read otherwise than it looks."""
        skipped = Skipped()
        skipped.names.update({reason: list(own) for reason, own in self.skipped.names.items()})
        for index in found.others:
            skipped.add(NOT_IMAGES, os.path.basename(self.files[index].stamp.path))
        if skipped.names:
            self.place.say(f"skipped in {self.root}: {skipped}")
        if found.remark:
            self.place.say(found.remark)

    def _check_classes(self, *splits: torch.Tensor) -> None:
        for split, labels in zip(SPLITS, splits, strict=True):
            counts = torch.bincount(labels, minlength=len(self.names))
            if counts.min() == 0:
                home = Path(self.root) if self.n_train is None else Path(self.root) / split
                raise _no_images(self.place, home / self.names[int(counts.argmin())])


def _split(
    place: Place, split: Path, folders: Sequence[Path], skipped: Skipped
) -> list[tuple[Found, int]]:
    keyed: list[tuple[bytes, Found, int]] = []
    start = len(f"{split}/")
    for label, folder in enumerate(folders):
        if not folder.is_dir():
            raise _no_images(place, folder)
        before = len(keyed)
        for found in files(place, folder, skipped):
            relative = composed(found.stamp.path[start:].replace(os.sep, "/"))
            order = hashlib.sha256(relative.encode("utf-8", "surrogateescape")).digest()
            keyed.append((order, found, label))
        if len(keyed) == before:
            raise _no_images(place, folder)
    return [(found, label) for _, found, label in sorted(keyed)]


def _no_images(place: Place, folder: Path) -> Exception:
    return place.error(
        f"no images in {folder} (looked for files that Pillow can read). "
        "Every class needs some to train on, and some to test with."
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
