"""Pong: the learning curve of evolving paths beside that of a known-good A2C.

Usage: ``python benchmarks/pong.py a2c SEED FILE.csv [--steps 3000000]`` plays stable-baselines3's
A2C at the same settings (16 games, updates every 5 steps, RMSProp, the same preprocessing) and
writes each episode's agent steps and raw score. ``python benchmarks/pong.py draw PICTURE.png RUN
... FILE.csv ...`` draws it beside runs of ``pathnet-evo run atari-pong``, and prints the means of
the last 100 raw scores and when they first were above -18. Needs ``stable-baselines3``.
"""

from __future__ import annotations

import argparse
import csv
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch

LANES, FRAMES = 16, 4
LAST = 100
GOAL = -18.0
Episodes = list[tuple[int, float]]


def environment(lanes: int, seed: int) -> Any:
    """The same games for stable-baselines3, which resets a lane in the step that ends it."""
    from stable_baselines3.common.vec_env.base_vec_env import VecEnv

    from pathnet_evo import Streams, TaskContext
    from pathnet_evo_atari.task import AtariSettings

    settings = AtariSettings(game="pong", threads=1)
    task: Any = settings.make(TaskContext(Streams(seed), 0, [settings], None))

    class Lanes(VecEnv):
        """Gymnasium's vector environment as stable-baselines3 wants it."""

        def __init__(self) -> None:
            self.lanes = task.make(lanes, [1000 * seed + lane for lane in range(lanes)])
            spaces = self.lanes.single_observation_space, self.lanes.single_action_space
            super().__init__(lanes, *spaces)
            self.scores, self.lengths = np.zeros(lanes), np.zeros(lanes, dtype=int)

        def reset(self) -> Any:
            return self.lanes.reset()[0]

        def step_async(self, actions: Any) -> None:
            self.actions = actions

        def step_wait(self) -> Any:
            seen, rewards, ended, cut, _ = self.lanes.step(self.actions)
            over, infos = ended | cut, [{} for _ in range(lanes)]
            self.scores += rewards
            self.lengths += 1
            if over.any():
                for lane in np.flatnonzero(over):
                    infos[lane]["terminal_observation"] = seen[lane].copy()
                    infos[lane]["TimeLimit.truncated"] = bool(cut[lane] and not ended[lane])
                    infos[lane]["score"] = float(self.scores[lane])
                self.scores[over], self.lengths[over] = 0, 0
                seen = self.lanes.reset(options={"reset_mask": over})[0]
            return seen, np.clip(rewards, -1, 1).astype(np.float32), over, infos

        def close(self) -> None:
            self.lanes.close()

        def seed(self, seed: int | None = None) -> None:
            pass

        def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
            return [getattr(self.lanes, attr_name, None)] * lanes

        def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
            raise NotImplementedError

        def env_method(self, method_name: str, *args: Any, **options: Any) -> list[Any]:
            raise NotImplementedError

        def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
            return [False] * lanes

    return Lanes()


def a2c(seed: int, path: Path, steps: int) -> None:
    """Play A2C and write ``steps,score`` of each episode."""
    from stable_baselines3 import A2C
    from stable_baselines3.common.callbacks import BaseCallback

    torch.set_num_threads(1)
    start = time.perf_counter()
    with path.open("w", newline="") as file:
        rows = csv.writer(file)

        class Write(BaseCallback):
            """Writes the episodes that ended."""

            def _on_step(self) -> bool:
                for info in self.locals["infos"]:
                    if "score" in info:
                        rows.writerow([self.num_timesteps, info["score"]])
                        file.flush()
                return True

        model = A2C(
            "CnnPolicy",
            environment(LANES, seed),
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
