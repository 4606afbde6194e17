"""Agent steps on MinAtar per processor second, training included.

Usage: ``python benchmarks/minatar_speed.py [--games breakout,...] [--rollouts 30]``. One minute.
Network and environments are those of the preset ``minatar-pair``; the games alone, with random
actions, are measured in the same turns.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import torch

from pathnet_evo import Candidate, LearningContext, Streams
from pathnet_evo.core.columns import Columns
from pathnet_evo.core.head import TaskHead
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.interfaces.learners import Learner
from pathnet_evo.interfaces.tasks import EnvironmentTask
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup.preparing import prepare
from pathnet_evo_minatar.games import GAMES

GOAL = 8_000
LEARNERS = {
    "a3c": '{name="a3c", num_envs=32, rollout_length=20}',
    "ppo": '{name="ppo", num_envs=32, rollout_length=32, epochs=3}',
    "ppo that listens": '{name="ppo", num_envs=32, rollout_length=32, epochs=3}',
}


def training(
    learner: Learner, task: EnvironmentTask, pool: ModulePool, listens: bool
) -> Callable[[], int]:
    """Rollouts and updates, each environment with a full-width path of its own; gives its steps.

    With ``listens``, all of them hear one frozen path of random weights.
    """
    streams = Streams(0, 0)
    pool.initialise(lambda layer: streams.torch("init", layer))
    head = pool.head(task.n_actions + 1, streams.torch("readout"))
    if listens:
        path = ((0, 1, 2),) * len(pool.layers)
        pool.freeze(path)
        head = TaskHead(pool.layers, head.readout, Columns([0], [pool.network(path, head)]))
        head.fit(torch.rand(100, *pool.input_shape, generator=streams.torch("inputs")))
    context = LearningContext(pool, head, task, torch.device("cpu"), streams, False)
    evaluator = learner.evaluator(context)
    rng, number = streams.python("genes"), 0

    def go() -> int:
        nonlocal number
        before = evaluator.used or 0
        while evaluator.free:
            free = [[m for m in range(len(s)) if m not in s.frozen_modules()] for s in pool.layers]
            genes = tuple(tuple(rng.sample(modules, 3)) for modules in free)
            evaluator.submit(Candidate(number, 0, genes, None, number))
            number += 1
        assert not any(evaluation.failed for evaluation in evaluator.advance())
        return (evaluator.used or 0) - before

    return go


def games(task: EnvironmentTask, n: int) -> Callable[[], int]:
    """The games with random actions."""
    env = task.make(n, range(n))
    env.reset()
    rng = np.random.default_rng(0)

    def go() -> int:
        for _ in range(20):
            env.step(rng.integers(task.n_actions, size=n))
        return 20 * n

    return go


def main() -> None:
    """Contestants take turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", default=",".join(GAMES))
    parser.add_argument("--rollouts", type=int, default=30)
    parser.add_argument("--set", action="append", default=[], help="as for pathnet-evo run")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for game in given.games.split(","):
        only = [f'stages=[{{task={{name="minatar",game="{game}"}},frames=1000}}]']
        contestants: dict[str, Callable[[], int]] = {}
        for name, learner in LEARNERS.items():
            settings = [*only, f"learner={learner}", *given.set]
            plan = prepare("minatar-pair", settings, Registry())
            task = plan.task_of(0, 0)
            assert isinstance(task, EnvironmentTask)
            pool = plan.make_pool(task.input_shape, "cpu")
            contestants[name] = training(
                plan.stages[0].learner, task, pool, name.endswith("listens")
            )
        contestants["games"] = games(task, 32)
        steps: dict[str, int] = defaultdict(int)
        seconds: dict[str, float] = defaultdict(float)
        for i in range(1 + given.rollouts):
            for name, go in contestants.items():
                start = time.process_time()
                played = go()
                if i:
                    steps[name] += played
                    seconds[name] += time.process_time() - start
        rate = {name: steps[name] / seconds[name] for name in contestants}
        print(
            f"{game}: {rate['a3c']:.0f} steps a processor second with a3c (goal {GOAL}), "
            f"{rate['ppo']:.0f} with ppo, {rate['ppo that listens']:.0f} where it listens to a "
            f"path, {rate['games']:.0f} of the game alone; "
            f"load {os.getloadavg()[0]:.1f}"
        )


if __name__ == "__main__":
    main()
