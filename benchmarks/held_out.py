"""Data sets whose test images are training images, to choose settings without the test set.

    python benchmarks/held_out.py DATA TARGET

``DATA`` is as for ``transfer.py``. ``TARGET`` gets the same layout: of each training set the last
sixth of MNIST and, in each class folder, the last fifth, becomes the test set, and the rest stays
the training set. Pictures are linked, not copied. Give ``TARGET`` as a task's ``root``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

IDX = {"images-idx3": 16, "labels-idx1": 8}
"""Bytes before the values, by kind of file."""
MNIST_TEST = 10_000


def mnist(raw: Path, target: Path) -> None:
    """Split the training files of MNIST."""
    target.mkdir(parents=True)
    for kind, header in IDX.items():
        written = (raw / f"train-{kind}-ubyte").read_bytes()
        count = int.from_bytes(written[4:8], "big")
        values = np.frombuffer(written, np.uint8, offset=header).reshape(count, -1)
        kept = count - MNIST_TEST
        for side, part in (("train", values[:kept]), ("t10k", values[kept:])):
            sized = written[:4] + len(part).to_bytes(4, "big") + written[8:header]
            (target / f"{side}-{kind}-ubyte").write_bytes(sized + part.tobytes())


def tree(source: Path, target: Path) -> None:
    """Split the class folders of a tree of pictures."""
    for folder in sorted((source / "train").iterdir()):
        pictures = sorted(folder.iterdir())
        kept = len(pictures) * 4 // 5
        for side, part in (("train", pictures[:kept]), ("test", pictures[kept:])):
            (target / side / folder.name).mkdir(parents=True)
            for picture in part:
                (target / side / folder.name / picture.name).symlink_to(picture.resolve())


def main() -> None:
    """Split what is there."""
    data, target = map(Path, sys.argv[1:])
    if (data / "MNIST").exists():
        mnist(data / "MNIST" / "raw", target / "MNIST" / "raw")
    for name in ("cifar10", "svhn"):
        if (data / name).exists():
            tree(data / name, target / name)


if __name__ == "__main__":
    main()
