"""The handwritten digits that come with scikit-learn: a task that needs no download."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch

from pathnet_evo_images.base import ImageTask
from pathnet_evo_images.pixels import Frame
from pathnet_evo_images.source import Images, Place, Source

TEST_EVERY = 5


class Digits(ImageTask):
    """scikit-learn's 1,797 grey 8x8 handwritten digits, bundled; ``root`` is not used.

    The bundle has no test set. Of each digit's images, in their order, every fifth (the 5th, 10th,
    15th ...) is for testing: 355 images; the other 1,442 are for training. The rule is fixed: it
    does not depend on the seed.
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
        from sklearn.datasets import load_digits

        bundle = load_digits()
        values = np.rint(bundle.images * (255 / 16)).astype(np.uint8)
        images = torch.from_numpy(values).unsqueeze(1)
        labels = torch.from_numpy(bundle.target.astype(np.int64))
        test = torch.zeros(len(labels), dtype=torch.bool)
        for digit in range(10):
            test[(labels == digit).nonzero()[TEST_EVERY - 1 :: TEST_EVERY]] = True
        names = tuple(str(digit) for digit in range(10))
        return Images(images[~test], labels[~test], images[test], labels[test], names)
