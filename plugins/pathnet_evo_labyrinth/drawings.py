"""Textures and sprites of the levels, drawn by arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

SIZE = 64
"""Pixels on a side of a texture."""


@cache
def textures() -> dict[str, Picture]:
    """By name ``(64, 64, 4)``, each tiling seamlessly: walls, grounds and the ceiling."""
    rng = np.random.Generator(np.random.PCG64(7))
    y, x = np.mgrid[:SIZE, :SIZE]
    brick = (y % 16 < 2) | ((x + 16 * (y // 16 % 2)) % 32 < 2)
    check = (x // 32 + y // 32) % 2 == 0
    stripes = x // 8 % 2 == 0
    return {
        "BRICK": _two(brick, (200, 190, 175), (150, 75, 55), rng),
        "STONE": _two((x // 32 + y // 16) % 2 == 0, (90, 110, 140), (70, 88, 120), rng),
        "PANEL": _two((x % 32 < 3) | (y % 32 < 3), (60, 60, 70), (130, 140, 160), rng),
        "GRASS": _two(check, (70, 120, 60), (62, 108, 54), rng),
        "TILES": _two(check, (150, 140, 120), (125, 116, 100), rng),
        "STEPS": _two(y % 16 < 3, (235, 225, 190), (190, 165, 110), rng),
        "BRIDGE": _two(stripes, (120, 85, 50), (105, 72, 42), rng),
        "ABYSS": _two(check, (40, 10, 50), (30, 6, 38), rng),
        "ROOF": _two(check, (150, 180, 215), (142, 172, 208), rng),
    }


@cache
def sprites() -> dict[str, tuple[Picture, tuple[int, int]]]:
    """By name a picture and its origin, the middle of its lower edge."""
    pictures = {
        "APPLA0": _apple(),
        "LEMNA0": _lemon(),
        "MELNA0": _melon(),
        "GOALA0": _goal(),
        "HEALA0": _box((230, 230, 230), (210, 30, 30), cross=True),
        "ARMOA0": _box((50, 90, 200), (170, 200, 255), cross=False),
        "BOTSA0": _opponent((220, 110, 30)),
        "BOTSB0": _opponent((255, 230, 90)),
        "BOLTA0": _disc(8, (255, 255, 160), (255, 200, 40)),
    }
    return {
        name: (picture, (picture.shape[1] // 2, picture.shape[0]))
        for name, picture in pictures.items()
    }


def _two(where: NDArray[np.bool_], one: Colour, other: Colour, rng: np.random.Generator) -> Picture:
    """Two colours with a little grain, so that distance shows."""
    out = np.where(where[..., None], np.array(one), np.array(other)).astype(float)
    out += rng.normal(0, 5, where.shape)[..., None]
    opaque = np.full((*where.shape, 1), 255.0)
    return np.concatenate([out.clip(0, 255), opaque], 2).astype(np.uint8)


def _canvas(width: int, height: int) -> tuple[Picture, Callable[..., None]]:
    """An empty sprite, and what fills the pixels of a region with a colour."""
    picture = np.zeros((height, width, 4), np.uint8)

    def fill(region: NDArray[np.bool_], colour: Colour) -> None:
        picture[region] = (*colour, 255)

    return picture, fill


def _disc(size: int, colour: Colour, light: Colour) -> Picture:
    picture, fill = _canvas(size, size)
    y, x = np.mgrid[:size, :size] + 0.5
    r = size / 2
    fill((x - r) ** 2 + (y - r) ** 2 < r**2, colour)
    fill((x - 0.7 * r) ** 2 + (y - 0.7 * r) ** 2 < (0.35 * r) ** 2, light)
    return picture


def _apple() -> Picture:
    picture = np.concatenate(
        [np.zeros((6, 28, 4), np.uint8), _disc(28, (40, 170, 40), (140, 240, 120))]
    )
    picture[:8, 13:16] = (90, 60, 30, 255)
    return picture


def _lemon() -> Picture:
    picture, fill = _canvas(36, 26)
    y, x = np.mgrid[:26, :36] + 0.5
    fill(((x - 18) / 15) ** 2 + ((y - 13) / 12) ** 2 < 1, (245, 215, 30))
    fill((abs(y - 13) < 3) & (abs(x - 18) > 13), (215, 180, 20))
    fill(((x - 13) / 5) ** 2 + ((y - 8) / 3) ** 2 < 1, (255, 250, 170))
    return picture


def _melon() -> Picture:
    picture, fill = _canvas(52, 44)
    y, x = np.mgrid[:44, :52] + 0.5
    body = ((x - 26) / 26) ** 2 + ((y - 22) / 22) ** 2 < 1
    fill(body, (200, 30, 60))
    fill(body & (np.sin(x / 3.2) > 0.2), (255, 120, 150))
    return picture


def _goal() -> Picture:
    picture, fill = _canvas(40, 56)
    y, x = np.mgrid[:56, :40] + 0.5
    fill(abs(x - 20) / 20 + abs(y - 28) / 28 < 1, (120, 60, 220))
    fill(abs(x - 20) / 10 + abs(y - 28) / 14 < 1, (230, 200, 255))
    return picture


def _box(colour: Colour, sign: Colour, cross: bool) -> Picture:
    picture, fill = _canvas(28, 22)
    y, x = np.mgrid[:22, :28]
    fill(np.ones((22, 28), bool), colour)
    upright, level = abs(x - 14) < 3, abs(y - 11) < 3
    fill((upright & (abs(y - 11) < 9)) | (level & (abs(x - 14) < 9) if cross else level), sign)
    return picture


def _opponent(visor: Colour) -> Picture:
    picture, fill = _canvas(40, 56)
    y, x = np.mgrid[:56, :40] + 0.5
    fill((abs(x - 20) < 14) & (y > 22) & (y < 44), (190, 40, 40))
    fill((abs(abs(x - 20) - 8) < 5) & (y >= 44), (60, 60, 70))
    fill((x - 20) ** 2 + (y - 13) ** 2 < 144, (150, 30, 30))
    fill((abs(x - 20) < 9) & (abs(y - 13) < 4), visor)
    return picture
