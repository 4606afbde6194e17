"""MNIST, Fashion-MNIST and KMNIST, from their idx files."""

from __future__ import annotations

import gzip
import importlib
import shutil
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from pathnet_evo_images.download import download, import_datasets, matches
from pathnet_evo_images.pixels import Frame
from pathnet_evo_images.published import PublishedTask
from pathnet_evo_images.source import Images, Place, Source
from pathnet_evo_images.stamps import stamp


class Mnist(PublishedTask):
    """MNIST: 60,000 + 10,000 grey handwritten digits of 28x28 pixels.

    The four idx files, compressed or not, are looked for in ``root/MNIST/raw`` (torchvision's
    folder) and ``root/mnist``, or in ``root`` itself if that is called ``mnist`` or holds the
    published archives.
    """

    kind: ClassVar[str] = "mnist"
    wanted: ClassVar[str] = "the four *-ubyte.gz files of MNIST"
    official: ClassVar[tuple[str, ...]] = tuple("0123456789")
    published: ClassVar[str] = "MNIST"
    """The name of torchvision's class."""
    installed: ClassVar[tuple[Path, ...]] = ()
    """Where a system's packages put the files."""

    def present(self, place: Place) -> Source | None:
        """The four idx files."""
        own: tuple[Path, ...] = (self.folder / self.published / "raw", self.folder / self.kind)
        if self.folder.resolve().name == self.kind:
            own = (*own, self.folder)
        if not any(base.is_dir() for base in (self.folder, *self.installed)):
            return None
        published = getattr(import_datasets(place), self.published).resources
        for base in (*own, self.folder, *self.installed):
            trusted = base in own or base in self.installed
            files = [_file(base, name, None if trusted else md5) for name, md5 in published]
            found = tuple(stamp(file) for file in files if file is not None)
            if len(found) == len(files):
                return Idx(place, found, self.official)
        return None

    def unusable(self, place: Place) -> str:
        """Archives in ``root`` itself that are not those of this data set."""
        resources = getattr(import_datasets(place), self.published).resources
        files = [
            self.folder / name for name, md5 in resources if not matches(self.folder / name, md5)
        ]
        there = next((file for file in files if file.is_file()), None)
        return f" ({there} is not the published file.)" if there else ""

    def fetch(self, place: Place) -> None:
        """Download the archives that are missing, to torchvision's folder."""
        published = getattr(import_datasets(place), self.published)
        for name, md5 in published.resources:
            target = self.folder / self.published / "raw" / name
            if not matches(target, md5):
                download([mirror + name for mirror in published.mirrors], target, md5)


class FashionMnist(Mnist):
    """Fashion-MNIST: 60,000 + 10,000 grey pictures of clothes of 28x28 pixels, 10 classes.

    The four idx files, compressed or not, are looked for in ``root/FashionMNIST/raw``
    (torchvision's folder) and ``root/fashion-mnist``, or in ``root`` itself if that is called
    ``fashion-mnist`` or holds the published archives; then where Debian's package
    ``dataset-fashion-mnist`` puts them.
    """

    kind: ClassVar[str] = "fashion-mnist"
    wanted: ClassVar[str] = "the four *-ubyte.gz files of Fashion-MNIST"
    official: ClassVar[tuple[str, ...]] = (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )
    published: ClassVar[str] = "FashionMNIST"
    installed: ClassVar[tuple[Path, ...]] = (Path("/usr/share/datasets/fashion-mnist"),)


class Kmnist(Mnist):
    """Kuzushiji-MNIST: 60,000 + 10,000 grey cursive hiragana of 28x28 pixels, 10 classes.

    The four idx files, compressed or not, are looked for in ``root/KMNIST/raw`` (torchvision's
    folder) and ``root/kmnist``, or in ``root`` itself if that is called ``kmnist`` or holds the
    published archives.
    """

    kind: ClassVar[str] = "kmnist"
    wanted: ClassVar[str] = "the four *-ubyte.gz files of KMNIST"
    official: ClassVar[tuple[str, ...]] = (
        "o",
        "ki",
        "su",
        "tsu",
        "na",
        "ha",
        "ma",
        "ya",
        "re",
        "wo",
    )
    published: ClassVar[str] = "KMNIST"


def _file(base: Path, name: str, md5: str | None) -> Path | None:
    """An idx file, compressed (its own checksum tells damage) or else not.

    MNIST and its successors name their files alike, so in a folder that says nothing about which
    of them it holds, only the published archive counts: ``md5`` is not None.
    """
    packed, plain = base / name, base / name.removesuffix(".gz")
    if md5 is not None:
        return packed if matches(packed, md5) else None
    return next((file for file in (packed, plain) if file.is_file()), None)


@dataclass(frozen=True)
class Idx(Source):
    """Training images and labels, test images and labels, in this order.

    Args:
        names: the names of the classes.
        first: the label of the first class.
        transposed: whether rows and columns of the images are exchanged.
    """

    names: tuple[str, ...] = ()
    first: int = 0
    transposed: bool = False

    def read(self, frame: Frame) -> Images:
        """Read with torchvision's idx reader, on files that are unpacked for it if need be."""
        train, labels, test, test_labels = (
            self._read(Path(file.path), "image" if "images" in Path(file.path).name else "label")
            for file in self.stamps
        )
        labels, test_labels = labels - self.first, test_labels - self.first
        for images, numbers in ((train, labels), (test, test_labels)):
            least, most = (int(end) for end in numbers.aminmax())
            if len(images) != len(numbers) or not 0 <= least <= most < len(self.names):
                raise self.place.error(
                    f"the images and labels in {Path(self.stamps[0].path).parent} do not belong "
                    "together. Replace the four files."
                )
        if self.transposed:
            train, test = (images.transpose(1, 2).contiguous() for images in (train, test))
        return Images(train.unsqueeze(1), labels, test.unsqueeze(1), test_labels, self.names)

    def _read(self, file: Path, what: str) -> Tensor:
        reader = getattr(importlib.import_module("torchvision.datasets.mnist"), f"read_{what}_file")
        try:
            with tempfile.TemporaryDirectory() as temporary:
                plain = file
                if file.suffix == ".gz":
                    plain = Path(temporary) / file.stem
                    with gzip.open(file) as packed, plain.open("wb") as unpacked:
                        shutil.copyfileobj(packed, unpacked)
                tensor: Tensor = reader(str(plain))
                return tensor
        except (
            OSError,
            EOFError,
            zlib.error,
            AssertionError,
            IndexError,
            KeyError,
            RuntimeError,
            TypeError,
            ValueError,
        ) as error:
            raise self.place.error(
                f"{file} is damaged ({type(error).__name__}). Replace it, or delete it to have it "
                "downloaded again."
            ) from error
