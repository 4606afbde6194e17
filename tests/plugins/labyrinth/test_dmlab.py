"""DeepMind Lab's back end, against a stand-in that speaks Lab's documented API."""

import importlib.machinery
import sys
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from pathnet_evo import Streams, TaskContext, TaskError
from pathnet_evo.testing import TaskContract
from pathnet_evo_labyrinth.actions import NAMES
from pathnet_evo_labyrinth.dmlab import DeepMindLab
from pathnet_evo_labyrinth.task import LabyrinthSettings

SPEC = [
    ("LOOK_LEFT_RIGHT_PIXELS_PER_FRAME", -512, 512),
    ("LOOK_DOWN_UP_PIXELS_PER_FRAME", -512, 512),
    ("STRAFE_LEFT_RIGHT", -1, 1),
    ("MOVE_BACK_FORWARD", -1, 1),
    ("FIRE", 0, 1),
    ("JUMP", 0, 1),
    ("CROUCH", 0, 1),
]


class Lab:
    """Episodes of 24 frames; the reward of a frame is the third and fourth action's weighed sum."""

    made: ClassVar[list] = []

    def __init__(self, level, observations, config=None, renderer="software", level_cache=None):
        assert all(isinstance(value, str) for value in (config or {}).values())
        assert observations == ["RGB"]
        self.level, self.config, self.calls, self.closed = level, config, [], False
        self.frames = None
        Lab.made.append(self)

    def action_spec(self):
        return [{"name": name, "min": low, "max": high} for name, low, high in SPEC]

    def reset(self, episode=-1, seed=None):
        assert isinstance(seed, int)
        self.frames, self.rng = 0, np.random.default_rng(seed)

    def is_running(self):
        return self.frames is not None and self.frames < 24 and not self.closed

    def observations(self):
        assert self.is_running(), "Lab has no observations after an episode's end"
        shape = (3, int(self.config["height"]), int(self.config["width"]))
        return {"RGB": self.rng.integers(256, size=shape, dtype=np.uint8)}

    def step(self, action, num_steps=1):
        assert self.is_running()
        assert action.dtype == np.intc
        assert action.shape == (7,)
        self.calls.append((action.tolist(), num_steps))
        self.frames += num_steps
        return num_steps * (10.0 * action[3] + action[2])

    def close(self):
        self.closed = True


@pytest.fixture
def lab(monkeypatch):
    """Lab is installed."""
    module = ModuleType("deepmind_lab")
    module.Lab = Lab
    module.__spec__ = importlib.machinery.ModuleSpec("deepmind_lab", None)
    monkeypatch.setitem(sys.modules, "deepmind_lab", module)
    Lab.made = []
    return Lab


def test_actions_rewards_and_ends(lab):
    """Broken: Lab's agents would do something else than ours, or episodes run on."""
    env = DeepMindLab("seekavoid_arena", (20, 30), seconds=15)
    seen, _ = env.reset(seed=1)
    assert seen.shape == (3, 20, 30)
    (made,) = lab.made
    assert made.level == "seekavoid_arena_01"
    assert made.config == {"height": "20", "width": "30", "episodeLengthSeconds": "15"}
    wanted = {
        "look left": [-20, 0, 0, 0, 0, 0, 0],
        "look right": [20, 0, 0, 0, 0, 0, 0],
        "forward": [0, 0, 0, 1, 0, 0, 0],
        "backward": [0, 0, 0, -1, 0, 0, 0],
        "strafe left": [0, 0, -1, 0, 0, 0, 0],
        "strafe right": [0, 0, 1, 0, 0, 0, 0],
        "fire": [0, 0, 0, 0, 1, 0, 0],
        "jump": [0, 0, 0, 0, 0, 1, 0],
        "look left, forward": [-20, 0, 0, 1, 0, 0, 0],
        "look right, forward": [20, 0, 0, 1, 0, 0, 0],
    }
    for i, name in enumerate(NAMES):
        if i % 6 == 0:
            env.reset()
        _, reward, over, cut, _ = env.step(np.int64(i))
        assert made.calls[-1] == (wanted[name], 4)
        assert reward == 40 * wanted[name][3] + 4 * wanted[name][2]
        assert over == (i % 6 == 5)
        assert not cut
    env.close()
    assert made.closed


def test_check_env(lab):
    """Broken: wrappers and learners written for Gymnasium would not work."""
    check_env(DeepMindLab("lt_chasm", (20, 30)), skip_render_check=True)


class TestContract(TaskContract):
    """Lab's levels would not be tasks like any other."""

    @pytest.fixture(autouse=True)
    def _lab(self, lab):
        pass

    def settings(self):
        return LabyrinthSettings(engine="dmlab", level="contributed/dmlab30/rooms_watermaze")


def test_without_lab():
    """Broken: who has no Lab would not learn how it is obtained."""
    with pytest.raises(
        TaskError, match="deepmind_lab, which is not installed .*google-deepmind/lab"
    ):
        LabyrinthSettings(engine="dmlab", level="lt_chasm").make(TaskContext(Streams(0)))
