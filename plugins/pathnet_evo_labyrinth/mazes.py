"""Random mazes of DeepMind Lab's own generator (labmaze), as layouts of one level."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np

from pathnet_evo_labyrinth.level import LEGEND, Layout, Level, LevelError, Thing, arrange, covered

SIZE = 11
"""Cells on a side."""
APPLES = 10
MAZES = 64
"""How many different mazes an episode may be in."""


def nav_maze(mazes: int = MAZES, seed: int = 0) -> Level:
    """Find the goal, which brings the player back to a place to start, again and again.

    Args:
        mazes: how many; an episode takes one of them.
        seed: of the mazes.

    Raises:
        LevelError: labmaze is not installed.
    """
    if importlib.util.find_spec("labmaze") is None:
        why = (
            "there is none for Python 3.13 or newer: use Python 3.11 or 3.12"
            if sys.version_info >= (3, 13)
            else "pip install 'pathnet-evo[labyrinth]'"
        )
        raise LevelError(f"level nav_maze needs labmaze, which is not installed: {why}")
    rng = np.random.default_rng(seed)
    return Level(
        "nav_maze",
        "Find the goal of a random maze, again and again; apples on the way.",
        60,
        {"apple": 1.0, "goal": 10.0},
        None,
        tuple(_maze(rng) for _ in range(mazes)),
    )


def _maze(rng: np.random.Generator) -> Layout:
    """A maze with one goal, apples, and a place to start in every room."""
    import labmaze

    while True:
        maze = labmaze.RandomMaze(
            height=SIZE,
            width=SIZE,
            max_rooms=4,
            room_min_size=3,
            room_max_size=5,
            extra_connection_probability=0.05,
            spawns_per_room=2,
            objects_per_room=1,
            random_seed=int(rng.integers(2**31)),
        )
        rows = ["".join(row) for row in maze.entity_layer]
        legend = {"*": LEGEND["#"], " ": LEGEND["."], "P": LEGEND["^"], "G": LEGEND["g"]}
        look = {"ground": "TILES", "sides": "STONE"}
        layout = arrange(
            [row.replace(" ", ".") for row in rows],
            covered({**LEGEND, **legend}, look),
            "nav_maze",
        )
        if layout.things and len(layout.starts) > 1:
            return _furnished(layout, rng)


def _furnished(layout: Layout, rng: np.random.Generator) -> Layout:
    """One of the goals, apples on free cells, and starts that look in drawn directions."""
    goal = layout.things[int(rng.integers(len(layout.things)))]
    taken = {(t.x, t.y) for t in (*layout.things, *layout.starts)}
    free = [place for place in layout.floor() if place not in taken]
    places = rng.choice(len(free), min(APPLES, len(free)), replace=False)
    apples = [Thing("apple", *free[int(i)]) for i in places]
    starts = [Thing("start", t.x, t.y, 90 * int(rng.integers(4))) for t in layout.starts]
    start = int(rng.integers(len(starts)))
    return Layout(layout.cells, (goal, *apples), tuple(starts), start)
