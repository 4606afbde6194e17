"""Pong: the learning curve of evolving paths beside that of a known-good A2C.

Usage: ``python benchmarks/pong.py a2c SEED FILE.csv [--steps 3000000]`` plays stable-baselines3's
A2C at the same settings (16 games, updates every 5 steps, RMSProp, the same preprocessing) and
writes each episode's agent steps and raw score. ``python benchmarks/pong.py draw PICTURE.png RUN
... FILE.csv ...`` draws it beside runs of ``pathnet-evo run atari-pong``, and prints the means of
the last 100 raw scores and when they first were above -18. Needs ``stable-baselines3`` (extra
``benchmark``).
"""

from __future__ import annotations

import argparse
import csv
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import torch

from pathnet_evo import EnvironmentTask, Streams, TaskContext
from pathnet_evo_atari.task import AtariSettings

LANES, FRAMES = 16, 4
LAST = 100
GOAL = -18.0
Episodes = list[tuple[int, float]]


def games() -> EnvironmentTask:
    """Pong as the preset has it."""
    settings = AtariSettings(game="pong", threads=1)
    return settings.make(TaskContext(Streams(0), 0, [settings], None))


def a2c(seed: int, path: Path, steps: int) -> None:
    """Play A2C and write ``steps,score`` of each episode."""
    from sb3_lanes import TaskLanes
    from stable_baselines3 import A2C
    from stable_baselines3.common.callbacks import BaseCallback

    torch.set_num_threads(1)
    start = time.perf_counter()
    with path.open("w", newline="") as file:
        rows = csv.writer(file)

        class Write(BaseCallback):  # type: ignore[misc]
            """Writes the episodes that ended."""

            def _on_step(self) -> bool:
                for info in self.locals["infos"]:
                    if "score" in info:
                        rows.writerow([self.num_timesteps, info["score"]])
                        file.flush()
                return True

        model = A2C(
            "CnnPolicy",
            TaskLanes(games(), LANES, seed),
            learning_rate=lambda left: 7e-4 * left,
            n_steps=5,
            ent_coef=0.01,
            vf_coef=0.5,
            seed=seed,
            policy_kwargs={"normalize_images": True},
        )
        model.learn(steps, callback=Write())
    print(f"{steps / (time.perf_counter() - start):,.0f} agent steps a second")


def read(source: Path) -> Iterator[tuple[str, Episodes]]:
    """Each trial's episodes: agent steps used when it ended, and its raw score."""
    if source.suffix == ".csv":
        with source.open(newline="") as file:
            yield f"A2C ({source.stem})", [(int(at), float(s)) for at, s in csv.reader(file)]
        return
    with closing(sqlite3.connect(source / "lineage.sqlite")) as db:
        for trial, arm, seed in db.execute("SELECT trial, arm, seed FROM trials").fetchall():
            rows = db.execute(
                "SELECT at, score FROM episodes WHERE trial = ? AND stage = 0 ORDER BY episode",
                (trial,),
            )
            yield f"{arm}, seed {seed}", [(at // FRAMES, score) for at, score in rows]


def draw(picture: Path, sources: list[Path]) -> None:
    """Draw the trailing mean over 100 episodes of each, and print its last value."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for source in sources:
        for name, episodes in read(source):
            steps, scores = (np.array(part) for part in zip(*episodes, strict=True))
            sums = np.cumsum(np.insert(scores, 0, 0.0))
            n = np.minimum(np.arange(1, len(scores) + 1), LAST)
            means = (sums[1:] - sums[np.arange(1, len(scores) + 1) - n]) / n
            line = "--" if source.suffix == ".csv" else "-"
            axes.plot(steps / 1e6, means, line, label=name)
            print(f"{name}: {means[-1]:.2f} over the last {n[-1]} episodes, {steps[-1]:,} steps")
            above = np.flatnonzero((means > GOAL) & (n == LAST))
            if len(above):
                print(f"  first above {GOAL:g} after {steps[above[0]]:,} steps")
    axes.axhline(GOAL, color="grey", linewidth=0.8, linestyle=":")
    axes.set(xlabel="agent steps, millions", ylabel=f"raw score, mean of {LAST} episodes")
    axes.legend()
    figure.savefig(picture, dpi=110)


def main() -> None:
    """Play or draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    play = commands.add_parser("a2c")
    play.add_argument("seed", type=int)
    play.add_argument("file", type=Path)
    play.add_argument("--steps", type=int, default=3_000_000)
    drawn = commands.add_parser("draw")
    drawn.add_argument("picture", type=Path)
    drawn.add_argument("sources", type=Path, nargs="+")
    given = parser.parse_args()
    if given.command == "a2c":
        a2c(given.seed, given.file, given.steps)
    else:
        draw(given.picture, given.sources)


if __name__ == "__main__":
    main()
