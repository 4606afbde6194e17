"""The levels as environments of Gymnasium: importing this registers them, and no engine.

``gymnasium.make("pathnet_evo_labyrinth.environments:pathnet_evo/Labyrinth-lt_chasm-v0")`` imports
it by itself.
"""

from __future__ import annotations

import gymnasium

from pathnet_evo_labyrinth.catalogue import LEVELS

for level in LEVELS:
    gymnasium.register(
        f"pathnet_evo/Labyrinth-{level}-v0",
        entry_point="pathnet_evo_labyrinth.env:LabyrinthEnv",
        vector_entry_point="pathnet_evo_labyrinth.vector:make_lanes",
        kwargs={"level": level},
    )
