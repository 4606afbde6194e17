"""Agent steps of A3C on Atari games with quick resets, over those that reload the game.

Usage: ``python benchmarks/atari_resets.py [--games breakout,pong] [--rollouts 60]``. Untrained
paths play, as early in training; the two take turns rollout by rollout. About two minutes. The
third contestant is the emulator with random actions. Steps are counted per second of processor
time, so that other work on the machine matters less.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import torch

from pathnet_evo import Candidate, LearningContext, Streams, TaskContext
from pathnet_evo.core.kinds import Conv2d, Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo_a3c.learner import A3C
from pathnet_evo_atari.task import AtariSettings, AtariTask

LANES, STEPS = 16, 20
KINDS = [
    Conv2d(channels=8, kernel=8, stride=4),
    Conv2d(channels=8, kernel=4, stride=2),
    Conv2d(channels=8, kernel=3, stride=1),
    Linear(units=50),
]


def made(game: str, resets: str) -> AtariTask:
    """A game as a task."""
    settings = AtariSettings.model_validate({"game": game, "resets": resets})
    return settings.make(TaskContext(Streams(0), 0, [settings], (4, 84, 84)))


def training(task: AtariTask) -> Callable[[], None]:
    """Rollouts and updates of 16 lanes on paths of their own."""
    streams = Streams(0, 0)
    pool = ModulePool(KINDS, 10, task.input_shape)
    pool.initialise(lambda layer: streams.torch("init", layer))
    head = pool.head(task.n_actions + 1, streams.torch("readout"))
    context = LearningContext(pool, head, task, torch.device("cpu"), streams, False)
    evaluator = A3C(num_envs=LANES, rollout_length=STEPS, episodes=2).evaluator(context)
    rng, number = streams.python("genes"), 0

    def go() -> None:
        nonlocal number
        while evaluator.free:
            genes = tuple(tuple(rng.sample(range(10), 4)) for _ in KINDS)
            evaluator.submit(Candidate(number, 0, genes, None, number))
            number += 1
        assert not any(evaluation.failed for evaluation in evaluator.advance())

    return go


def emulation(task: AtariTask) -> Callable[[], None]:
    """The emulator with random actions."""
    games = task.make(LANES, range(LANES))
    games.reset()
    rng = np.random.default_rng(0)

    def go() -> None:
        for _ in range(STEPS):
            games.step(rng.integers(task.n_actions, size=LANES))

    return go


def main() -> None:
    """Contestants take turns; their steps per processor second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", default="breakout,pong")
    parser.add_argument("--rollouts", type=int, default=60)
    given = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}, {torch.get_num_threads()} threads")
    for game in given.games.split(","):
        contestants = {resets: training(made(game, resets)) for resets in ("quick", "reload")}
        contestants["emulator"] = emulation(made(game, "quick"))
        seconds: dict[str, float] = defaultdict(float)
        for i in range(1 + given.rollouts):
            for name, go in contestants.items():
                start = time.process_time()
                go()
                seconds[name] += (time.process_time() - start) * (i > 0)
        rate = {name: given.rollouts * LANES * STEPS / spent for name, spent in seconds.items()}
        print(
            f"{game}: {rate['quick']:.0f} steps a processor second, "
            f"reloading {rate['reload']:.0f}: {rate['quick'] / rate['reload']:.2f} times; "
            f"emulator alone {rate['emulator']:.0f}: {rate['quick'] / rate['emulator']:.2f} of it; "
            f"load {os.getloadavg()[0]:.1f}"
        )


if __name__ == "__main__":
    main()
