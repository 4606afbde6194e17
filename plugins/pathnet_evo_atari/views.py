"""A game shown otherwise: the variants of the Pong Soup (Rusu et al. 2016, section 4.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

View: TypeAlias = Literal["black", "white", "zoom", "h-flip", "v-flip", "noisy"]
Pictures: TypeAlias = npt.NDArray[np.uint8]
Look: TypeAlias = Callable[[Pictures], Pictures]

BACKGROUNDS = {"black": 0, "white": 255}
ZOOM = 0.75
NOISE = 25.0
"""Standard deviation of the noise, in grey levels of 255."""
SEED = 2016
"""Of the noise, which is the same in every run."""


def shown(views: Sequence[View], background: int) -> int:
    """The grey that the game's background has in those views."""
    return next((BACKGROUNDS[view] for view in views if view in BACKGROUNDS), background)


def look(views: Sequence[View], background: int, size: tuple[int, int]) -> Look:
    """What turns ``(..., height, width)`` uint8 pictures into those of the views, in order.

    Args:
        views: which.
        background: the grey of the game's background.
        size: height and width.
    """
    looks: list[Look] = []
    for view in views:
        looks.append(_look(view, background, size))
        background = BACKGROUNDS.get(view, background)

    def seen(pictures: Pictures) -> Pictures:
        for each in looks:
            pictures = each(pictures)
        return pictures

    return seen


def _look(view: View, background: int, size: tuple[int, int]) -> Look:
    match view:
        case "black" | "white":
            grey = np.uint8(BACKGROUNDS[view])
            return lambda pictures: np.where(pictures == background, grey, pictures)
        case "h-flip":
            return lambda pictures: np.ascontiguousarray(pictures[..., ::-1])
        case "v-flip":
            return lambda pictures: np.ascontiguousarray(pictures[..., ::-1, :])
        case "zoom":
            return _zoom(background, size)
        case "noisy":
            noise = np.random.default_rng(SEED).normal(0, NOISE, size).round().astype(np.int16)
            return lambda pictures: (pictures + noise).clip(0, 255).astype(np.uint8)


def _zoom(background: int, size: tuple[int, int]) -> Look:
    """The whole picture, smaller, in the lower right corner."""
    rows, columns = (_averages(n, int(n * ZOOM)) for n in size)

    def zoomed(pictures: Pictures) -> Pictures:
        small = rows @ pictures.astype(np.float32) @ columns.T
        seen = np.full_like(pictures, background)
        seen[..., -len(rows) :, -len(columns) :] = small.round()
        return seen

    return zoomed


def _averages(n: int, fewer: int) -> npt.NDArray[np.float32]:
    """``(fewer, n)``: what share of each of n pixels is in each of the fewer, larger ones."""
    edges = np.linspace(0, n, fewer + 1)
    pixels = np.arange(n)
    ends = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    shares = ends.clip(0) / (n / fewer)
    return shares.astype(np.float32)
