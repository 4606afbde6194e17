"""Lanes in several threads learn what lanes in one do."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv

from pathnet_evo.core.kinds import Conv2d, Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo.interfaces.learners import LearningContext
from pathnet_evo.interfaces.tasks import EnvironmentTask
from pathnet_evo_a3c.episodes import Episodes
from pathnet_evo_a3c.learner import A3C

KINDS = [Conv2d(channels=4, kernel=8, stride=4), Conv2d(channels=3, kernel=3), Linear(units=7)]
SHAPE = (2, 36, 36)


class Flashes(VectorEnv):
    """Pictures drawn from a lane's own generator; an action is right or wrong by the last one."""

    metadata: ClassVar = {"autoreset_mode": AutoresetMode.NEXT_STEP, "reset_mask": True}

    def __init__(self, lanes):
        self.num_envs = lanes
        self.single_observation_space = Box(0, 255, SHAPE, np.uint8)
        self.single_action_space = Discrete(3)
        self.generators, self.seen = [None] * lanes, np.zeros((lanes, *SHAPE), np.uint8)

    def reset(self, *, seed, options=None):
        mask = (options or {}).get("reset_mask", np.ones(self.num_envs, bool))
        for lane in np.flatnonzero(mask):
            own = seed if isinstance(seed, int) else seed[lane]
            self.generators[lane] = np.random.default_rng(own)
            self.seen[lane] = self.generators[lane].integers(0, 256, SHAPE)
        return self.seen.copy(), {}

    def step(self, actions):
        rewards = (self.seen[:, 0, 0, 0] % 3 == actions) - 0.3
        for lane, generator in enumerate(self.generators):
            self.seen[lane] = generator.integers(0, 256, SHAPE)
        ended, cut = self.seen[:, 0, 1, 1] > 230, self.seen[:, 1, 1, 1] > 245
        return self.seen.copy(), rewards, ended, cut & ~ended, {}

    def close(self):
        self.generators = None


class FlashesTask(EnvironmentTask):
    """As many as wanted."""

    def make(self, num_envs, seeds, *, render=False):
        return Flashes(num_envs)


def learn(threads, lanes):
    """All that comes out of a few rollouts, with as many evaluations as fit."""
    task = FlashesTask("flashes", SHAPE, 3, scale=torch.tensor(1 / 255))
    streams = Streams(0, 0)
    pool = ModulePool(KINDS, 6, SHAPE)
    pool.initialise(lambda layer: streams.torch("init", layer))
    pool.freeze(((0,), (1, 5), (3,)))
    head = pool.head(4, streams.torch("readout"))
    context = LearningContext(pool, head, task, torch.device("cpu"), streams, True)
    evaluator = A3C(num_envs=lanes, rollout_length=6, episodes=2, threads=threads).evaluator(
        context
    )
    rng, over, episodes, number = streams.python("genes"), [], [], 0
    for _ in range(8):
        while evaluator.free > 1:
            genes = tuple(tuple(rng.choices(range(6), k=3)) for _ in KINDS)
            evaluator.submit(Candidate(number, number, genes, None, number))
            number += 1
        over += [(e.candidate.id, e.fitness, e.examples) for e in evaluator.advance()]
        episodes += evaluator.take_episodes()
    kept = [lane and lane["observation"] for lane in evaluator.state()["lanes"]]
    evaluator.close()
    weights = [p for stack in pool.stacks(head) for p in stack.parameters.values()]
    return (over, episodes, kept, evaluator.used), torch.cat([w.flatten() for w in weights])


@pytest.mark.parametrize("large", [0, 10**9], ids=["modules", "lanes"])
@pytest.mark.parametrize(("lanes", "threads"), [(7, 3), (7, 50), (41, 2), (41, 3)])
def test_results_do_not_depend_on_threads(lanes, threads, large, monkeypatch):
    """Broken: the same run would be another one on a machine with more cores."""
    monkeypatch.setattr("pathnet_evo.core.lanes.linear.LARGE", large)
    told, weights = learn(1, lanes)
    assert told[0]
    again, same = learn(threads, lanes)
    assert again == told
    assert torch.equal(same, weights)


def test_environments_are_made_one_after_another():
    """Broken: two threads import an emulator at once, and one finds a module that is half there."""
    making, most = [], []

    class Busy(FlashesTask):
        def make(self, num_envs, seeds, *, render=False):
            making.append(num_envs)
            most.append(len(making))
            time.sleep(0.05)
            making.pop()
            return Flashes(num_envs)

    task = Busy("flashes", SHAPE, 3)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: Episodes(task, 2).close(), range(4)))
    assert most == [1] * 4


def test_threads_go_on_after_an_accident(walk, tmp_path):
    """Broken: after one error, or a resume, a run would be as slow as on one core."""
    task = walk(accident="raise", once=str(tmp_path / "once"))
    streams = Streams(0, 0)
    pool = ModulePool([Linear(units=5)], 6, task.input_shape)
    head = pool.head(task.n_actions + 1, streams.torch("readout"))
    context = LearningContext(pool, head, task, torch.device("cpu"), streams, True)
    evaluator = A3C(num_envs=4, rollout_length=4, episodes=1, threads=2).evaluator(context)
    workers = set()
    for group in evaluator.groups:

        def roll_out(*arguments, inner=group.roll_out):
            workers.add(threading.current_thread().name)
            inner(*arguments)

        group.roll_out = roll_out
    failed = []
    for number in range(40):
        if evaluator.free:
            evaluator.submit(Candidate(number, 0, ((0, 1),), None, number))
        over = evaluator.advance()
        if any(e.failed for e in over):
            failed.append(number)
            evaluator.restore(evaluator.state())
            workers.clear()
    evaluator.close()
    assert failed
    assert failed[-1] < 30
    assert len(workers) == 2
    assert threading.current_thread().name not in workers


def test_torch_has_its_threads_back():
    """Broken: what comes after a stage of games would be computed on one core."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        learn(2, 7)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
