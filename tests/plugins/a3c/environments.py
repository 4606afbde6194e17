"""Small environments for the tests of the A3C learner."""

import math
import os
import signal
import time
from pathlib import Path

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from pathnet_evo.interfaces.tasks import EnvironmentTask


def _owned(file):
    """Whether this process was the first to look for a file."""
    try:
        with file.open("x") as new:
            new.write(str(os.getpid()))
    except FileExistsError:
        pass
    return file.read_text() == str(os.getpid())


class Walk(gym.Env):
    """A walk on a line from 0: actions go left or right; past ``goal`` it ends with a reward.

    The observation is made of the place, of a number drawn by each reset, and of noise. An
    accident happens in an episode's step ``at``, while the file ``once`` does not exist. The one
    process that writes the file ``lazy`` takes its time with every step.
    """

    def __init__(self, goal=4, cut=None, reward=1.0, accident=None, at=3, once=None, lazy=None):
        self.lazy = lazy and _owned(Path(lazy))
        self.goal, self.cut, self.reward = goal, cut, reward
        self.accident, self.at, self.once = accident, at, once and Path(once)
        self.observation_space = Box(-np.inf, np.inf, (3,), np.float32)
        self.action_space = Discrete(2)

    def _seen(self):
        noise = self.np_random.standard_normal()
        return np.array([self.place / self.goal, self.drawn, noise], dtype=np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.steps, self.drawn = 0, 0, self.np_random.random()
        return self._seen(), {}

    def step(self, action):
        self.steps += 1
        if self.lazy:
            time.sleep(0.02)
        if self.accident and self.steps == self.at and not (self.once and self.once.exists()):
            if self.once:
                self.once.touch()
            if self.accident == "raise":
                raise RuntimeError("the floor gave way")
            if self.accident == "nan":
                return self._seen(), math.nan, False, True, {}
            os.kill(os.getpid(), {"die": signal.SIGKILL, "hang": signal.SIGSTOP}[self.accident])
        self.place += 1 if action else -1
        over = abs(self.place) >= self.goal
        reward = self.reward * (2.5 if self.place >= self.goal else -0.1)
        return self._seen(), reward, over, self.cut is not None and self.steps >= self.cut, {}


class WalkTask(EnvironmentTask):
    """Walks on lanes.

    Args:
        mode: when its environment resets by itself.
        options: those of ``Walk``.
        fields: those of ``EnvironmentTask``.
    """

    def __init__(self, mode=AutoresetMode.NEXT_STEP, fields=None, **options):
        super().__init__("walk", (3,), 2, **(fields or {}))
        object.__setattr__(self, "mode", mode)
        object.__setattr__(self, "options", options)

    def make(self, num_envs, seeds, *, render=False):
        walks = [lambda: Walk(**self.options)] * num_envs
        return SyncVectorEnv(walks, autoreset_mode=self.mode)
