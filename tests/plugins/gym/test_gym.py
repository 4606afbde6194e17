"""Gymnasium's environments as tasks: what is taken, what is refused, and what is changed."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from pydantic import ValidationError

from pathnet_evo import Streams, TaskContext, TaskError
from pathnet_evo.testing import TaskContract
from pathnet_evo_gym.task import GymSettings

LEVERS = Box(np.array([[0.0, -np.inf]]), np.array([[10.0, 2.0]]), dtype=np.float64)
"""Of a shape of its own, one number bounded on both sides, one on one."""


class Odd(gymnasium.Env):
    """An environment whose spaces a test chooses; it never ends by itself."""

    def __init__(self, render_mode=None, space=None, start=0, n=3, actions=None):
        self.metadata = {"render_modes": []}
        self.observation_space = space or Box(0, 255, (6, 5, 3), np.uint8)
        self.action_space = actions or Discrete(n, start=start)
        self.taken = []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self._seen(), {}

    def step(self, action):
        self.taken.append(action)
        return self._seen(), float(np.sum(action)), False, False, {}

    def _seen(self):
        space = self.observation_space
        if space.dtype == np.uint8:
            return self.np_random.integers(256, size=space.shape, dtype=np.uint8)
        return self.np_random.normal(size=space.shape).astype(space.dtype)


@pytest.fixture(autouse=True)
def registered():
    """What a plugin would register."""
    variants = {
        "Odd/Pictures-v0": {},
        "Odd/Vector-v0": {"space": Box(-np.inf, np.inf, (3,), np.float64)},
        "Odd/FromTwo-v0": {"start": 2, "space": Box(-1, 1, (2,))},
        "Odd/Switches-v0": {"actions": MultiDiscrete([2, 3]), "space": Box(-1, 1, (2,))},
        "Odd/Whole-v0": {"actions": Box(0, 9, (2,), np.int64), "space": Box(-1, 1, (2,))},
        "Odd/Levers-v0": {"actions": LEVERS, "space": Box(-1, 1, (2,))},
    }
    for name, kwargs in variants.items():
        gymnasium.register(name, entry_point=Odd, kwargs=kwargs)
    yield
    for name in variants:
        del gymnasium.registry[name]


def made(name="CartPole-v1", shape=None, **options):
    settings = GymSettings(id=name, **options)
    return settings.make(TaskContext(Streams(0), 0, [settings], shape))


class TestContract(TaskContract):
    def settings(self):
        return GymSettings()


class TestContractOfVectors(TaskContract):
    def settings(self):
        return GymSettings(id="Pendulum-v1")


class TestContractOfPictures(TaskContract):
    def settings(self):
        return GymSettings(id="Odd/Pictures-v0")


def test_cartpole():
    """The commonest environment would not be what people know."""
    task = made()
    assert (task.input_shape, task.n_actions, task.max_episode_steps) == ((4,), 2, 500)
    env, plain = task.make(2, [3, 4]), gymnasium.make("CartPole-v1")
    seen, _ = env.reset()
    assert np.array_equal(seen[1], plain.reset(seed=4)[0])
    for action in (0, 1, 1):
        seen, rewards, *_ = env.step(np.array([0, action]))
        assert np.array_equal(seen[1], plain.step(action)[0])
        assert rewards.tolist() == [1, 1]


def test_reset_by_mask():
    """An episode would not start from its seed, or others would be disturbed."""
    env = made().make(2, [3, 4])
    env.reset()
    before, *_ = env.step(np.array([0, 1]))
    options = {"reset_mask": np.array([False, True])}
    seen, _ = env.reset(seed=np.array([0, 3]), options=options)
    assert np.array_equal(seen[0], before[0])
    assert np.array_equal(seen[1], gymnasium.make("CartPole-v1").reset(seed=3)[0])
    assert "reset_mask" in options, "the caller's options were changed"


def test_pictures():
    """A convolution takes channels first, and bytes stay bytes until they are on the device."""
    task = made("Odd/Pictures-v0")
    assert task.input_shape == (3, 6, 5)
    assert float(task.scale) == pytest.approx(1 / 255)
    seen, _ = task.make(1, [7]).reset()
    plain, _ = gymnasium.make("Odd/Pictures-v0", disable_env_checker=True).reset(seed=7)
    assert seen.dtype == np.uint8
    assert np.array_equal(seen[0, 1], plain[:, :, 1])
    assert made("Odd/Pictures-v0", channels="first").input_shape == (6, 5, 3)


def test_observations_are_float32():
    """The network would be given doubles."""
    seen, _ = made("Odd/Vector-v0").make(2, [0, 1]).reset()
    assert seen.dtype == np.float32


def test_actions_start_at_nought():
    """The policy's first action would be one that the environment does not have."""
    env = made("Odd/FromTwo-v0").make(1, [0])
    env.reset()
    assert env.step(np.array([0]))[1][0] == 2


def test_vectors_are_scaled_to_the_bounds():
    """A policy that starts near 0 would only ever push a lever to one side, or beyond its end."""
    task = made("Odd/Levers-v0")
    assert (task.continuous, task.n_actions) == (True, 2)
    env = task.make(1, [0])
    env.reset()
    for given in ([-1, -1], [0, 0.5], [1, 1], [3, 7], [-4, -9]):
        env.step(np.array([given], dtype=np.float32))
    taken = env.envs[0].unwrapped.taken
    assert [action.tolist() for action in taken] == [
        [[0, -1]],
        [[5, 0.5]],
        [[10, 1]],
        [[10, 2]],
        [[0, -9]],
    ]
    assert {(action.shape, action.dtype) for action in taken} == {((1, 2), np.dtype(np.float64))}
    with pytest.raises(ValueError, match="an action is not finite"):
        env.step(np.array([[np.nan, 0]], dtype=np.float32))


def test_pad():
    """Tasks of different sizes could not share a pool."""
    task = made(pad=True, shape=(6,), shift=[1.0, 2.0, 3.0, 4.0], scale=2.0)
    assert task.input_shape == (6,)
    seen, _ = task.make(1, [0]).reset()
    assert np.array_equal(seen[0, 4:], [0, 0])
    used = (torch.from_numpy(seen) - task.shift) * task.scale
    wanted = [*(2 * (seen[0, :4] - [1, 2, 3, 4])), 0, 0]
    assert used[0].tolist() == pytest.approx(wanted, rel=1e-6)
    assert made("Odd/Pictures-v0", pad=True, shape=(4, 8, 8)).input_shape == (4, 8, 8)
    assert made(pad=True).input_shape == (4,), "without a pool it decides itself"


@pytest.mark.parametrize(
    ("name", "shape", "own"),
    [
        ("CartPole-v1", (6,), np.s_[:4]),
        ("Odd/Pictures-v0", (4, 8, 8), np.s_[:3, :6, :5]),
        ("CartPole-v1", (4,), np.s_[:]),
    ],
)
@pytest.mark.parametrize("scale", [None, 0.5])
def test_padding_is_zero_for_the_network(name, shape, own, scale):
    """The network would see -shift * scale where there is nothing."""
    task = made(name, pad=True, shape=shape, shift=3.0, scale=scale)
    seen, _ = task.make(1, [0]).reset()
    prepared = task.prepare(torch.from_numpy(seen))[0].numpy()
    factor = scale or (1 / 255 if seen.dtype == np.uint8 else 1)
    wanted = np.zeros(shape)
    wanted[own] = (seen[0][own].astype(float) - 3) * factor
    np.testing.assert_allclose(prepared, wanted, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("shape", [(3,), (4, 84, 84)])
def test_what_cannot_be_padded_is_refused(shape):
    """A traceback from NumPy would say so during the run."""
    with pytest.raises(TaskError, match=r"CartPole-v1: observations \(4,\) cannot be padded"):
        made(pad=True, shape=shape)


def test_attributes_make_variants():
    """Two variants of one task would be the same task."""
    heavy, light = made(attributes={"gravity": 50.0}), made()
    seen = [task.make(1, [0]) for task in (heavy, light)]
    for env in seen:
        env.reset()
    first, second = (env.step(np.array([0]))[0] for env in seen)
    assert not np.array_equal(first, second)
    with pytest.raises(TaskError, match="no attribute 'graviti' that is a number"):
        made(attributes={"graviti": 1.0})
    with pytest.raises(TaskError, match="no attribute 'reset' that is a number"):
        made(attributes={"reset": 1.0})


def test_step_limits():
    """An environment that never ends would be played for ever."""
    assert made("Odd/Vector-v0").max_episode_steps == 10_000
    task = made("Odd/Vector-v0", max_episode_steps=3)
    assert task.max_episode_steps == 3
    env = task.make(1, [0])
    env.reset()
    assert [bool(env.step(np.array([0]))[3][0]) for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Odd/Switches-v0", r"its action space is MultiDiscrete\(.*only Discrete and Box"),
        ("Odd/Whole-v0", r"its action space is Box\(.*must hold real numbers, each within a range"),
        ("Taxi-v4", r"Taxi-v4: its observation space is Discrete\(500\).*only a Box"),
        ("Blackjack-v1", r"Blackjack-v1: its observation space is Tuple"),
    ],
)
def test_what_cannot_be_learned_is_refused_on_one_line(name, said):
    """The learner would fail on its first step, with a traceback."""
    with pytest.raises(TaskError, match=said) as raised:
        made(name)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("CartPol-v1", r"Did you mean .CartPole-v1."),
        ("antigravity:CartPole-v1", r"a module to import cannot be named here"),
        ("GymV21Environment-v0", r"no such environment"),
    ],
)
def test_only_registered_environments_can_be_named(name, said):
    """A configuration from somebody else could import whatever there is."""
    with pytest.raises(ValidationError, match=said):
        GymSettings(id=name)


def test_bad_options_are_told():
    """A traceback of the environment's would be all that is said."""
    with pytest.raises(TaskError, match=r"CartPole-v1 cannot be made: TypeError.*wheels"):
        made(kwargs={"wheels": 4})
    with pytest.raises(ValidationError, match="render_mode cannot be set here"):
        GymSettings(kwargs={"render_mode": "human"})
    with pytest.raises(TaskError, match="scale has 3 numbers"):
        made(scale=[1.0, 1.0, 1.0])


def test_rendering():
    """A video could not be recorded."""
    env = made().make(2, [0, 1], render=True)
    env.reset()
    assert [picture.shape for picture in env.render()] == [(400, 600, 3)] * 2
    env.close()
    with pytest.raises(TaskError, match="cannot render"):
        made("Odd/Vector-v0").make(1, [0], render=True)
