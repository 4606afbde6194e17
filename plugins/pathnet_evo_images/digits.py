"""Handwritten digits that come along: a task that needs no download."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import ClassVar, Literal

import numpy as np
import torch

from pathnet_evo_images.base import ImageTask
from pathnet_evo_images.pixels import Frame
from pathnet_evo_images.source import Images, Place, Source

TEST_EVERY = 5


class Digits(ImageTask):
    """scikit-learn's 1,797 grey 8x8 handwritten digits, bundled; ``root`` is not used.

    ``digits.md`` beside this file names source and licence. There is no test set. Of each digit's
    images, in their order, every fifth (the 5th, 10th, 15th ...) is for testing: 355 images; the
    other 1,442 are for training. The rule is fixed: it does not depend on the seed.
    """

    kind: ClassVar[str] = "digits"

    download: Literal[False] = False
    """There is nothing to download."""

    def find(self, place: Place) -> Source:
        """The bundled images."""
        return _Bundle(place, ())


@dataclass(frozen=True)
class _Bundle(Source):
    def read(self, frame: Frame) -> Images:
        """Decode the bundle; its values 0 ... 16 become 0 ... 255."""
        with files(__package__).joinpath("digits.npz").open("rb") as file:
            bundle = np.load(file, allow_pickle=False)
            values = np.rint(bundle["images"] * (255 / 16)).astype(np.uint8)
            labels = torch.from_numpy(bundle["labels"].astype(np.int64))
        images = torch.from_numpy(values).unsqueeze(1)
        test = torch.zeros(len(labels), dtype=torch.bool)
        for digit in range(10):
            test[(labels == digit).nonzero()[TEST_EVERY - 1 :: TEST_EVERY]] = True
        names = tuple(str(digit) for digit in range(10))
        return Images(images[~test], labels[~test], images[test], labels[test], names)
