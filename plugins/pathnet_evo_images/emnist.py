"""EMNIST, handwritten letters and digits, from the idx files of one of its splits."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase, digits
from typing import ClassVar, Literal

from pathnet_evo_images.download import download, import_datasets, matches
from pathnet_evo_images.mnist import Idx
from pathnet_evo_images.published import PublishedTask
from pathnet_evo_images.source import Place, Source
from pathnet_evo_images.stamps import stamp

ARCHIVE = "gzip.zip"
"""The published archive of all splits."""
MERGED = "".join(sorted({*ascii_lowercase} - {*"cijklmopsuvwxyz"}))
"""Lower-case letters that do not count as their upper case in merged splits."""
CLASSES = {
    "balanced": digits + ascii_uppercase + MERGED,
    "byclass": digits + ascii_uppercase + ascii_lowercase,
    "bymerge": digits + ascii_uppercase + MERGED,
    "digits": digits,
    "letters": ascii_lowercase,
    "mnist": digits,
}
"""The classes of each split, in the order of their labels."""


class Emnist(PublishedTask):
    """EMNIST: grey handwritten digits and letters of 28x28 pixels, upright, in one of six splits.

    The split's four idx files, compressed or not, are looked for in ``root/EMNIST/raw``
    (torchvision's folder) and ``root/emnist``, or in ``root`` itself if that is called ``emnist``;
    else the archive ``gzip.zip`` there, which must have its published checksum.
    """

    kind: ClassVar[str] = "emnist"
    wanted: ClassVar[str] = "EMNIST/raw/gzip.zip"

    split: Literal["balanced", "byclass", "bymerge", "digits", "letters", "mnist"] = "balanced"
    """Which division of the data: ``balanced`` has 47 classes, ``byclass`` 62, ``bymerge`` 47,
    ``digits`` and ``mnist`` 10, ``letters`` 26."""

    @property
    def data_set(self) -> tuple[str, ...]:
        """The data, and the split."""
        return (self.kind, self.split)

    @property
    def title(self) -> str:
        """What reports call the data."""
        return f"{self.kind} {self.split}"

    def present(self, place: Place) -> Source | None:
        """The split's four idx files, taken from the archive if need be."""
        folders = [self.folder / "EMNIST" / "raw", self.folder / self.kind]
        if self.folder.resolve().name == self.kind:
            folders.append(self.folder)
        for base in folders:
            found = self._files(base)
            if len(found) < 4 and (base / ARCHIVE).is_file():
                self._extract(place, base)
                found = self._files(base)
            if len(found) == 4:
                stamps = tuple(map(stamp, found))
                first = int(self.split == "letters")
                return Idx(place, stamps, tuple(CLASSES[self.split]), first, transposed=True)
        return None

    def fetch(self, place: Place) -> None:
        """Download the archive to torchvision's folder."""
        published = import_datasets(place).EMNIST
        download([published.url], self.folder / "EMNIST" / "raw" / ARCHIVE, published.md5)

    @property
    def _names(self) -> list[str]:
        """The compressed files of the split, in the order in which they are read."""
        return [
            f"emnist-{self.split}-{half}-{what}-ubyte.gz"
            for half in ("train", "test")
            for what in ("images-idx3", "labels-idx1")
        ]

    def _files(self, base: Path) -> list[Path]:
        pairs = ((base / name.removesuffix(".gz"), base / name) for name in self._names)
        found = (next((file for file in pair if file.is_file()), None) for pair in pairs)
        return [file for file in found if file is not None]

    def _extract(self, place: Place, base: Path) -> None:
        """Take the split's files out of a verified archive, each whole or not at all."""
        archive = base / ARCHIVE
        if not matches(archive, import_datasets(place).EMNIST.md5):
            raise place.error(
                f"{archive} does not have its published checksum and is not read. "
                "Replace it, or delete it to have it downloaded again."
            )
        try:
            with (
                zipfile.ZipFile(archive) as packed,
                tempfile.TemporaryDirectory(prefix=".extract-", dir=base) as temporary,
            ):
                for name in self._names:
                    part = Path(temporary) / name
                    with packed.open(f"gzip/{name}") as member, part.open("wb") as target:
                        shutil.copyfileobj(member, target)
                    os.replace(part, base / name)
        except OSError as error:
            reason = f"{archive} cannot be extracted to {base} ({error.strerror or error})"
            raise place.error(f"{reason}. Make room, or extract it yourself.") from error
