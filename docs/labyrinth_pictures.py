"""Draws docs/images/labyrinth-LEVEL.png: each level from inside and from above."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pathnet_evo_labyrinth.catalogue import LEVELS, game
from pathnet_evo_labyrinth.vector import LabyrinthVectorEnv

IMAGES = Path(__file__).with_name("images")
WALK = [2] * 6
"""Forward, so that the way shows."""

if __name__ == "__main__":
    for level in LEVELS:
        env = LabyrinthVectorEnv(game(level, size=(240, 320), pictures=True), 1)
        env.reset(seed=4)
        for action in WALK:
            env.step(np.array([action]))
        pictures = env.render()
        env.close()
        assert pictures is not None
        picture = Image.fromarray(pictures[0])
        picture.thumbnail((760, 320))
        picture.quantize(64).save(IMAGES / f"labyrinth-{level}.png", optimize=True)
