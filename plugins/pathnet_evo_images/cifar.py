"""CIFAR-10 and CIFAR-100, from an archive, its extracted batches or a tree of images."""

from __future__ import annotations

import os
import tarfile
import tempfile
import warnings
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from pathnet_evo_images.download import download, import_datasets, matches
from pathnet_evo_images.pixels import Frame
from pathnet_evo_images.published import PublishedTask
from pathnet_evo_images.source import Images, Place, Source
from pathnet_evo_images.stamps import stamp

FINE = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile
cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp
lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree
orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum
rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider
squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train
trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""
"""CIFAR-100's fine labels, in order."""


class Cifar10(PublishedTask):
    """CIFAR-10: 50,000 + 10,000 colour images of 32x32 pixels, 10 classes.

    Looked for under ``root`` and ``root/cifar10``: ``cifar-10-batches-py/``, then
    ``cifar-10-python.tar.gz``; then a tree ``cifar10/{train,test}/CLASS/*``, or ``root`` itself as
    such a tree. The batches are pickles: they are read only if each has its published checksum.
    """

    kind: ClassVar[str] = "cifar10"
    wanted: ClassVar[str] = "cifar-10-python.tar.gz"
    official: ClassVar[tuple[str, ...]] = (
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    )
    published: ClassVar[str] = "CIFAR10"
    """The name of torchvision's class."""

    def present(self, place: Place) -> Source | None:
        """Verified batches or a tree."""
        for base in (self.folder, self.folder / self.kind):
            source = _batches(place, base, self.published)
            if source is not None:
                return source
        return self.present_tree(place)

    def fetch(self, place: Place) -> None:
        """Download the archive."""
        cifar = getattr(import_datasets(place), self.published)
        download([cifar.url], self.folder / cifar.filename, cifar.tgz_md5)


class Cifar100(Cifar10):
    """CIFAR-100: 50,000 + 10,000 colour images of 32x32 pixels, 100 classes (the fine labels).

    Looked for under ``root`` and ``root/cifar100``: ``cifar-100-python/``, then
    ``cifar-100-python.tar.gz``; then a tree, as for CIFAR-10. The files are pickles: they are read
    only if each has its published checksum.
    """

    kind: ClassVar[str] = "cifar100"
    wanted: ClassVar[str] = "cifar-100-python.tar.gz"
    official: ClassVar[tuple[str, ...]] = tuple(FINE.split())
    published: ClassVar[str] = "CIFAR100"


def _batches(place: Place, base: Path, published: str) -> Source | None:
    if not base.is_dir():
        return None
    cifar = getattr(import_datasets(place), published)
    folder, archive = base / cifar.base_folder, base / cifar.filename
    if not folder.is_dir() and not archive.is_file():
        return None
    files = [(folder / name, md5) for name, md5 in _files(cifar)]
    wrong = [file for file, md5 in files if not matches(file, md5)]
    if wrong and archive.is_file():
        if not matches(archive, cifar.tgz_md5):
            raise place.error(
                f"{archive} does not have its published checksum and is not read. "
                "Replace it, or delete it to have it downloaded again."
            )
        if not _extract(archive, base, cifar.base_folder):
            return _Batches(place, (stamp(archive),), published, base, archive)
        wrong = []
    if wrong:
        raise place.error(
            f"{wrong[0]} is missing or does not have its published checksum; "
            f"nothing of it is read. Put {archive.name} beside {folder.name}/, or delete that "
            "folder to have the data downloaded again."
        )
    return _Batches(place, tuple(stamp(file) for file, _ in files), published, base)


def _files(cifar: Any) -> list[tuple[str, str]]:
    meta = (cifar.meta["filename"], cifar.meta["md5"])
    return [*map(tuple, cifar.train_list), *map(tuple, cifar.test_list), meta]


def _extract(archive: Path, target: Path, folder: str) -> bool:
    """Extract a verified archive's one folder; False where it cannot be put. All or nothing."""
    try:
        with tempfile.TemporaryDirectory(prefix=".extract-", dir=target) as temporary:
            with tarfile.open(archive, "r:gz") as packed:
                packed.extractall(temporary, filter="data")
            os.replace(Path(temporary) / folder, target / folder)
    except OSError:
        return False
    return True


@dataclass(frozen=True)
class _Batches(Source):
    """Extracted batches, or an archive to extract for reading where nothing can be written."""

    published: str
    base: Path = field(default=Path())
    archive: Path | None = None

    def read(self, frame: Frame) -> Images:
        """Read with torchvision's reader; it verifies every batch before it loads its pickle."""
        cifar = getattr(import_datasets(self.place), self.published)
        with ExitStack() as stack:
            base = self.base
            if self.archive is not None:
                base = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                if not _extract(self.archive, base, cifar.base_folder):
                    raise self.place.error(
                        f"{self.archive} cannot be extracted, neither beside it nor to "
                        f"{base.parent}. Make room in one of them."
                    )
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")  # NumPy's, of how these pickles were written in 2009
            try:
                train, test = cifar(base, train=True), cifar(base, train=False)
            except RuntimeError as error:
                raise self.place.error(f"{base} changed while it was read ({error})") from error
        return Images(
            *_tensors(train.data, train.targets),
            *_tensors(test.data, test.targets),
            tuple(train.classes),
        )


def _tensors(data: npt.NDArray[np.uint8], targets: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.from_numpy(data).permute(0, 3, 1, 2).contiguous()
    return images, torch.tensor(targets, dtype=torch.int64)
