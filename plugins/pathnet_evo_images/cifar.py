"""CIFAR-10, from its archive, its extracted batches or a tree of images."""

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

    def present(self, place: Place) -> Source | None:
        """Verified batches or a tree."""
        for base in (self.folder, self.folder / self.kind):
            source = _batches(place, base)
            if source is not None:
                return source
        return self.present_tree(place)

    def fetch(self, place: Place) -> None:
        """Download the archive."""
        cifar = import_datasets(place).CIFAR10
        download([cifar.url], self.folder / cifar.filename, cifar.tgz_md5)


def _batches(place: Place, base: Path) -> Source | None:
    folder, archive = base / "cifar-10-batches-py", base / "cifar-10-python.tar.gz"
    if not folder.is_dir() and not archive.is_file():
        return None
    cifar = import_datasets(place).CIFAR10
    files = [(folder / name, md5) for name, md5 in _files(cifar)]
    wrong = [file for file, md5 in files if not matches(file, md5)]
    if wrong and archive.is_file():
        if not matches(archive, cifar.tgz_md5):
            raise place.error(
                f"{archive} does not have its published checksum and is not read. "
                "Replace it, or delete it to have it downloaded again."
            )
        if not _extract(archive, base):
            return _Batches(place, (stamp(archive),), base, archive)
        wrong = []
    if wrong:
        raise place.error(
            f"{wrong[0]} is missing or does not have its published checksum; "
            f"nothing of it is read. Put {archive.name} beside {folder.name}/, or delete that "
            "folder to have the data downloaded again."
        )
    return _Batches(place, tuple(stamp(file) for file, _ in files), base)


def _files(cifar: Any) -> list[tuple[str, str]]:
    meta = (cifar.meta["filename"], cifar.meta["md5"])
    return [*map(tuple, cifar.train_list), *map(tuple, cifar.test_list), meta]


def _extract(archive: Path, target: Path) -> bool:
    """Extract a verified archive; False where its folder cannot take it. All or nothing."""
    folder = "cifar-10-batches-py"
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

    base: Path = field(default=Path())
    archive: Path | None = None

    def read(self, frame: Frame) -> Images:
        """Read with torchvision's reader; it verifies every batch before it loads its pickle."""
        cifar = import_datasets(self.place).CIFAR10
        with ExitStack() as stack:
            base = self.base
            if self.archive is not None:
                base = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                if not _extract(self.archive, base):
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
