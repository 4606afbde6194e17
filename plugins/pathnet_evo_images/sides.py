"""The size that suits pictures of many sizes."""

from __future__ import annotations

import warnings
from contextlib import suppress
from statistics import median_low

from PIL import Image

from pathnet_evo_images.picture import FORMATS, PLAIN
from pathnet_evo_images.source import Place
from pathnet_evo_images.stamps import open_regular
from pathnet_evo_images.tree import Tree
from pathnet_evo_images.walk import Found

SMALLEST = 8
"""Pixels of the shorter side of pictures in which classes can be told apart, at least."""
LOOKED_AT = 1000
"""Files whose size is looked at, spread evenly."""


def shorter_side(place: Place, tree: Tree) -> int:
    """The median of the pictures' shorter sides, in pixels; only their headers are read.

    Files that cannot be read are passed over: decoding them reports them.

    Raises:
        TaskError: the pictures are too small to learn from.
    """
    looked_at = tree.files[:: -(-len(tree.files) // LOOKED_AT)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pictures that are large, or damaged in part
        found = [side for side in map(_side, looked_at) if side is not None]
    side = median_low(found) if found else SMALLEST
    if side < SMALLEST:
        raise place.error(
            f"the images in {tree.root} are too small to learn from: {side} pixels wide or high. "
            f"Use images of at least {SMALLEST}x{SMALLEST} pixels."
        )
    return side


def _side(file: Found) -> int | None:
    formats = [*FORMATS] if file.promised else PLAIN
    with (
        suppress(Exception),
        open_regular(file.stamp.path) as opened,
        Image.open(opened, formats=formats) as image,
    ):
        return min(image.size)
    return None
