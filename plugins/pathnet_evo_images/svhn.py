"""SVHN, the Street View House Numbers, from its .mat files or a tree of images."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import torch

from pathnet_evo_images.download import download, import_datasets, matches
from pathnet_evo_images.pixels import Frame
from pathnet_evo_images.published import PublishedTask
from pathnet_evo_images.source import Images, Place, Source
from pathnet_evo_images.stamps import stamp

SPLITS = ("train", "test")


class Svhn(PublishedTask):
    """SVHN's cropped digits: 73,257 + 26,032 colour images of 32x32 pixels, 10 classes.

    Looked for under ``root`` and ``root/svhn``: ``train_32x32.mat`` and ``test_32x32.mat``, which
    must have their published checksums; then a tree ``svhn/{train,test}/DIGIT/*``, or ``root``
    itself as such a tree.
    """

    kind: ClassVar[str] = "svhn"
    wanted: ClassVar[str] = "train_32x32.mat and test_32x32.mat"
    official: ClassVar[tuple[str, ...]] = tuple("0123456789")

    def present(self, place: Place) -> Source | None:
        """Verified .mat files or a tree."""
        for base in (self.folder, self.folder / self.kind):
            if not all(_mat(base, split).is_file() for split in SPLITS):
                continue
            published = import_datasets(place).SVHN.split_list
            for split in SPLITS:
                if not matches(_mat(base, split), published[split][2]):
                    raise place.error(
                        f"{_mat(base, split)} does not have its published checksum and is not "
                        "read. Replace it, or delete it to have it downloaded again."
                    )
            return _Mat(place, tuple(stamp(_mat(base, split)) for split in SPLITS), base)
        return self.present_tree(place)

    def fetch(self, place: Place) -> None:
        """Download the files that are missing."""
        published = import_datasets(place).SVHN.split_list
        for split in SPLITS:
            url, _, md5 = published[split]
            if not matches(_mat(self.folder, split), md5):
                download([url], _mat(self.folder, split), md5)


def _mat(base: Path, split: str) -> Path:
    return base / f"{split}_32x32.mat"


@dataclass(frozen=True)
class _Mat(Source):
    base: Path = field(default=Path())

    def read(self, frame: Frame) -> Images:
        """Read with torchvision's reader; it verifies the files, and makes the label 10 a 0."""
        svhn = import_datasets(self.place).SVHN
        tensors = []
        for split in SPLITS:
            try:
                data = svhn(self.base, split=split)
            except RuntimeError as error:
                changed = f"{_mat(self.base, split)} changed while it was read ({error})"
                raise self.place.error(changed) from error
            tensors += [torch.from_numpy(data.data).contiguous(), torch.from_numpy(data.labels)]
        train, labels, test, test_labels = tensors
        return Images(train, labels, test, test_labels, Svhn.official)
