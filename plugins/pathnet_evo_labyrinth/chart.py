"""Levels from above: cells, things, and where a player went."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pathnet_evo_labyrinth.drawings import sprites, textures
from pathnet_evo_labyrinth.level import CELL, Cell, Layout

SPRITES = {
    "apple": "APPLA0",
    "lemon": "LEMNA0",
    "melon": "MELNA0",
    "goal": "GOALA0",
    "health": "HEALA0",
    "armour": "ARMOA0",
    "opponent": "BOTSA0",
}
WAY, HERE = (255, 60, 200), (255, 255, 255)
"""Colours of a player's way and of where it is."""


def chart(
    layout: Layout, way: Sequence[tuple[float, float]] = (), pixels: int = 24
) -> NDArray[np.uint8]:
    """A layout as a picture, north above.

    Args:
        layout: what is drawn.
        way: positions of a player, the latest last.
        pixels: width of a cell.

    Returns:
        ``(height, width, 3)``.
    """
    from PIL import Image, ImageDraw

    rows, columns = len(layout.cells), len(layout.cells[0])
    picture = Image.new("RGB", (columns * pixels, rows * pixels), (20, 20, 24))
    covers = {name: texture.reshape(-1, 4).mean(0)[:3] for name, texture in textures().items()}
    draw = ImageDraw.Draw(picture)
    for r, row in enumerate(layout.cells):
        for c, cell in enumerate(row):
            if cell is not None:
                box = (c * pixels, r * pixels, (c + 1) * pixels - 1, (r + 1) * pixels - 1)
                draw.rectangle(box, fill=_colour(cell, covers))

    def at(x: float, y: float) -> tuple[float, float]:
        return x / CELL * pixels, (rows - y / CELL) * pixels

    drawn = sprites()
    for thing in layout.things:
        sprite = Image.fromarray(drawn[SPRITES[thing.kind]][0], "RGBA")
        sprite.thumbnail((0.8 * pixels, 0.8 * pixels))
        x, y = at(thing.x, thing.y)
        picture.paste(sprite, (int(x - sprite.width / 2), int(y - sprite.height / 2)), sprite)
    for start in layout.starts:
        x, y = at(start.x, start.y)
        angle = np.radians(start.angle)
        tip = (x + 0.4 * pixels * np.cos(angle), y - 0.4 * pixels * np.sin(angle))
        draw.line([(x, y), tip], fill=(20, 60, 220), width=max(1, pixels // 8))
        draw.ellipse(_disc(x, y, pixels / 6), fill=(20, 60, 220))
    for a, b in itertools.pairwise(way):
        if np.hypot(b[0] - a[0], b[1] - a[1]) < 2 * CELL:  # else it was brought elsewhere
            draw.line([at(*a), at(*b)], fill=WAY, width=max(1, pixels // 10))
    if way:
        draw.ellipse(_disc(*at(*way[-1]), pixels / 5), fill=HERE, outline=WAY)
    return np.asarray(picture)


def _disc(x: float, y: float, r: float) -> tuple[float, float, float, float]:
    return x - r, y - r, x + r, y + r


def _colour(cell: Cell, covers: dict[str, NDArray[np.float64]]) -> tuple[int, int, int]:
    """That of what covers the cell; higher floors are lighter, walls darker."""
    colour = covers[(cell.sides if cell.wall else cell.ground) or "STONE"]
    colour = 0.55 * colour if cell.wall else colour + 0.35 * max(0, cell.floor)
    red, green, blue = (int(part) for part in colour.clip(0, 255))
    return red, green, blue
