"""CartPole-v1, learned by evolving paths: the mean of 100 evaluation episodes of each seed.

They play the most probable actions; training draws them.

Usage: ``python benchmarks/cartpole.py [--steps 1000000] [--seeds 5] [--first 0]``. About a minute a
seed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import torch

from pathnet_evo.core.head import TaskHead
from pathnet_evo.core.kinds import Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.budget import Budget
from pathnet_evo.interfaces.learners import LearningContext
from pathnet_evo.interfaces.tasks import EnvironmentTask
from pathnet_evo.strategies.asynchronous_tournament import AsynchronousTournament
from pathnet_evo.trial.loop import evolve
from pathnet_evo_a3c.learner import A3C

LEARNER = A3C(
    num_envs=32,
    rollout_length=20,
    episodes=2,
    learning_rate=0.005,
    value_coef=0.25,
    score_episodes=100,
    greedy=True,
)
POPULATION, LAYERS, MODULES, WIDTH, UNITS = 32, 2, 10, 4, 32
GOAL = 475


class CartPole(EnvironmentTask):
    """Gymnasium's CartPole-v1."""

    def make(self, num_envs: int, seeds: Sequence[int], *, render: bool = False) -> Any:
        """As many of them as there are num_envs."""
        import gymnasium
        from gymnasium.vector import SyncVectorEnv

        return SyncVectorEnv([lambda: gymnasium.make("CartPole-v1") for _ in range(num_envs)])


def learn(seed: int, steps: int) -> tuple[float, int]:
    """The score of the best path after so many steps, and how many evaluations they were."""
    streams = Streams(seed).at(0)
    task = CartPole("CartPole-v1", (4,), 2)
    pool = ModulePool([Linear(units=UNITS)] * LAYERS, MODULES, task.input_shape)
    pool.initialise(lambda layer: streams.torch("init", layer))
    head = TaskHead(pool.layers, LEARNER.readout(pool, task, streams.torch("readout")))
    device = torch.device("cpu")
    context = LearningContext(
        pool, head, task, device, streams, always_active=True, budget=Budget(frames=steps)
    )
    shape, rng = pool.shape(WIDTH), streams.python("genotype")
    strategy = AsynchronousTournament(shape, rng, population=POPULATION)
    evaluator = LEARNER.evaluator(context)
    evolve(strategy, evaluator, lambda: (evaluator.used or 0) >= steps)
    evaluator.close()
    best = strategy.best()
    assert best is not None
    network = pool.network(pool.active(best, True), head)
    return LEARNER.score(network, task, streams)["mean_return"], strategy.told


def main() -> None:
    """One line a seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{given.steps:,} agent steps a seed; goal: at least {GOAL}")
    for seed in range(given.first, given.first + given.seeds):
        start = time.perf_counter()
        score, evaluations = learn(seed, given.steps)
        seconds = time.perf_counter() - start
        print(
            f"  seed {seed}: {score:6.1f}   {evaluations} evaluations, {seconds:.0f} s", flush=True
        )


if __name__ == "__main__":
    main()
