"""Agent steps a second of A3C on Pong, 64 lanes on 64 paths, over those of others on this machine.

Usage: ``python benchmarks/a3c_speed.py [--rounds 5] [--threads 0]``. About three minutes. The
comparison with stable-baselines3 needs ``pip install 'pathnet-evo[benchmark]'``; it is made twice:
as it plays Atari by itself (``make_atari_env``), and on ale-py's native environments, which ours
uses. It is measured with one thread of torch and with one a core, and the faster counts. Ours plays
its lanes in a thread a core, each with one of torch, as in runs.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from measuring import rates

from pathnet_evo.core.kinds import Conv2d, Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo.interfaces.learners import LearningContext
from pathnet_evo.interfaces.tasks import EnvironmentTask
from pathnet_evo_a3c.evaluator import A3CEvaluator
from pathnet_evo_a3c.learner import A3C

LANES, MODULES, WIDTH, STEPS = 64, 10, 4, 20
KINDS = [
    Conv2d(channels=8, kernel=8, stride=4),
    Conv2d(channels=8, kernel=4, stride=2),
    Conv2d(channels=8, kernel=3, stride=1),
    Linear(units=50),
]
GOALS = {"stable-baselines3": 2.0, "the same, native games": 2.0}


class Pong(EnvironmentTask):
    """Pong as DQN's authors preprocess it: 84 x 84 grey, 4 frames, every fourth frame."""

    def make(self, num_envs: int, seeds: Sequence[int], *, render: bool = False) -> Any:
        """ale-py's native vector environment."""
        from ale_py.vector_env import AtariVectorEnv

        return AtariVectorEnv("pong", num_envs, reward_clipping=False)


TASK = Pong("Pong", (4, 84, 84), 6, scale=torch.tensor(1 / 255), frame_skip=4)


class Contestant:
    """The evaluator with the paper's network, every lane busy.

    Args:
        different: whether every lane has a path of its own; all have N modules a layer.
        threads: that play the lanes; 0 for as many as torch has.
        kind: of the learner.
    """

    def __init__(self, different: bool, threads: int, kind: type[A3C] = A3C) -> None:
        streams = Streams(0, 0)
        pool = ModulePool(KINDS, MODULES, TASK.input_shape)
        pool.initialise(lambda layer: streams.torch("init", layer))
        head = pool.head(TASK.n_actions + 1, streams.torch("readout"))
        device = torch.device("cpu")
        context: LearningContext[EnvironmentTask] = LearningContext(
            pool, head, TASK, device, streams, always_active=True
        )
        learner = kind(num_envs=LANES, rollout_length=STEPS, threads=threads)
        self.evaluator: A3CEvaluator = learner.in_process(context)
        self.seconds: dict[str, float] = defaultdict(float)
        self.rng, self.different = random.Random(0), different
        self.submitted = 0
        self._path = self._draw()
        self._fill()
        self.round()  # the environment is made here
        groups = self.evaluator.groups
        for group in groups:
            self._time(group.episodes, "step", "emulation", 1 / len(groups))
            self._time(group, "_differentiate", "gradients", 1 / len(groups))
        self._time(self.evaluator, "_train", "update", 1)
        self.seconds.clear()

    def _draw(self) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(self.rng.sample(range(MODULES), WIDTH)) for _ in KINDS)

    def _fill(self) -> None:
        while self.evaluator.free:
            rows = self._draw() if self.different else self._path
            self.evaluator.submit(Candidate(self.submitted, 0, rows, None, 0))
            self.submitted += 1

    def _time(self, owner: Any, method: str, share: str, weight: float) -> None:
        inner = getattr(owner, method)

        def timed(*args: Any) -> Any:
            start = time.perf_counter()
            result = inner(*args)
            self.seconds[share] += weight * (time.perf_counter() - start)
            return result

        setattr(owner, method, timed)

    def round(self) -> int:
        """One rollout and update; its agent steps."""
        start = time.perf_counter()
        self._fill()
        for evaluation in self.evaluator.advance():
            assert not evaluation.failed, evaluation.cause
        self.seconds["all"] += time.perf_counter() - start
        return LANES * STEPS


def emulation() -> Callable[[], int]:
    """ale-py's vector environment with random actions."""
    env = TASK.make(LANES, [])
    env.reset(seed=np.arange(LANES))
    rng = np.random.default_rng(0)

    def go() -> int:
        for _ in range(STEPS):
            env.step(rng.integers(TASK.n_actions, size=LANES))
        return LANES * STEPS

    return go


def baselines() -> dict[str, Callable[[], int]]:
    """A2C of stable-baselines3 with 16 environments; none where it is not installed."""
    try:
        from pong_rivals import a2c, native_games, own_games
    except ImportError:
        return {}
    made = [a2c(games(16), LANES * STEPS) for games in (own_games, native_games)]
    return dict(zip(GOALS, made, strict=True))


def main() -> None:
    """Contestants take turns; medians of their steps a second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="that play the lanes of ours")
    given = parser.parse_args()
    ours = Contestant(different=True, threads=given.threads)
    same = Contestant(different=False, threads=given.threads)
    contestants: dict[str, Callable[[], int]] = {
        "64 lanes, 64 paths": ours.round,
        "64 lanes, one path": same.round,
        "emulation alone": emulation(),
    }
    theirs = baselines()
    if not theirs:
        print("stable-baselines3 or OpenCV is not installed: nothing to compare with")
    either = (1, torch.get_num_threads())
    found = rates(contestants | theirs, dict.fromkeys(theirs, either), given.rounds)
    first = found["64 lanes, 64 paths"].clock
    n_groups = len(ours.evaluator.groups)
    print(f"agent steps a second, medians of {given.rounds}; ours with {n_groups} threads")
    for name, rate in found.items():
        goal = f"   goal >= {GOALS[name]:g}" if name in GOALS else ""
        over = f"ours over it {first / rate.clock:6.2f}{goal}"
        print(f"  {name:<22} {rate.clock:8.0f} {1e3 / rate.busy:8.3f} CPU ms a step   {over}")
    print(
        f"64 paths cost {found['64 lanes, one path'].clock / first:.2f} of one path   goal <= 1.3"
    )
    whole = ours.seconds["all"]
    shares = {name: ours.seconds[name] / whole for name in ("emulation", "gradients", "update")}
    shares["acting"] = 1 - sum(shares.values())
    print("shares of our time: " + ", ".join(f"{n} {s:.0%}" for n, s in shares.items()))


if __name__ == "__main__":
    main()
