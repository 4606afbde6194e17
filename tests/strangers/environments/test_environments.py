"""Other people's environments: right values, or one line that says what is wrong with them."""

import importlib.util
import math
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from pydantic import ValidationError

import pathnet_evo
from pathnet_evo import Streams, TaskContext, TaskError
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup import preparing
from pathnet_evo.setup.problems import ConfigError
from pathnet_evo_a3c.episodes import EnvironmentFailed, Episodes
from pathnet_evo_a3c.lane import Lane
from pathnet_evo_gym.task import GymSettings

pytestmark = pytest.mark.timeout(120)


def task_of(name, **options):
    """The task, as a stage makes it."""
    settings = GymSettings(id=name, **options)
    return settings.make(TaskContext(Streams(0), 0, [settings], None))


def inside(name, **options):
    """The environment itself, without wrappers."""
    return GymSettings(id=name, **options).environment().unwrapped


@pytest.fixture
def register():
    """Register environments of a class for one test."""
    names = []

    def put(name, entry_point, **options):
        gymnasium.register(name, entry_point=entry_point, **options)
        names.append(name)
        return name

    yield put
    for name in names:
        gymnasium.registry.pop(name, None)


class Given(gymnasium.Env):
    """Gives what a test says, in every step, and ends after the fourth."""

    def __init__(self, space=None, n=2, seen=None, reward=1.0, over=False):
        self.observation_space = Box(-1, 1, (2,)) if space is None else space
        self.action_space = Discrete(n)
        self.seen = np.zeros(self.observation_space.shape) if seen is None else seen
        self.reward, self.over, self.steps = reward, over, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self.seen, {}

    def step(self, action):
        self.steps += 1
        return self.seen, self.reward, self.steps >= 4 or self.over, False, {}


def played(name, **options):
    """The first step of two lanes."""
    episodes = Episodes(task_of(name, **options), 2)
    try:
        return episodes.step(np.zeros(2, dtype=np.int64))
    finally:
        episodes.close()


# Attributes --------------------------------------------------------------------------------


def test_the_mountain_car_is_to_arrive_with_a_speed():
    """0.05 would be cut to 0, the type of the default, and the task be the easy one."""
    car = inside("MountainCar-v0", attributes={"goal_velocity": 0.05})
    assert car.goal_velocity == 0.05
    car.reset(seed=0)
    car.state = np.array([0.499, 0.0])
    assert not car.step(2)[2], "slow arrival must not count"


def test_the_pole_is_made_heavier_and_longer():
    """total_mass and polemass_length would be those of the light pole."""
    pole = inside("CartPole-v1", attributes={"masspole": 1, "length": 1})
    assert (pole.masspole, pole.length) == (1.0, 1.0)
    assert (pole.total_mass, pole.polemass_length) == (2.0, 1.0)
    pole.reset(seed=0)
    pole.state = np.array([0.1, 0.2, 0.05, -0.3])
    _, v, angle, w = pole.state
    _, new_v, _, new_w = pole.step(1)[0]
    # Florian (2007), equations 23 and 24 without friction, with m = l = M = 1 and F = 10.
    sin, cos = math.sin(angle), math.cos(angle)
    turning = (9.8 * sin + cos * (-10 - w * w * sin) / 2) / (4 / 3 - cos * cos / 2)
    pushing = (10 + w * w * sin - turning * cos) / 2
    assert new_v == pytest.approx(v + 0.02 * pushing, rel=1e-5)
    assert new_w == pytest.approx(w + 0.02 * turning, rel=1e-5)


def test_bounds_follow_the_track_that_is_made_shorter():
    """What the constructor makes of an attribute by way of local names would stay as it was."""
    pole = inside("CartPole-v1", attributes={"x_threshold": 1.2})
    assert pole.observation_space.high[0] == pytest.approx(2.4)
    limb = inside("Acrobot-v1", attributes={"MAX_VEL_1": 2.0})
    assert limb.observation_space.high[4] == 2.0, "the class's own numbers"


def test_the_preset_cartpole_plays_what_it_played():
    """Runs of variants whose attribute has nothing computed from it would be other runs."""
    ours = task_of("CartPole-v1", attributes={"gravity": 19.6}).make(1, [5])
    plain = gymnasium.make("CartPole-v1")
    plain.unwrapped.gravity = 19.6
    assert np.array_equal(ours.reset()[0][0], plain.reset(seed=5)[0])
    for action in [0, 1, 1, 0, 1, 0, 0, 1]:
        assert np.array_equal(ours.step(np.array([action]))[0][0], plain.step(action)[0])
    kind = type(ours.envs[0].unwrapped)
    assert kind.__setattr__ is object.__setattr__, "every step would be slower"


class World(Given):
    """Makes something of its argument at once, as LunarLander does of its gravity."""

    size = 3

    def __init__(self, gravity=-10.0, windy=False, mode="easy", **rest):
        super().__init__(**rest)
        self.gravity, self.windy = gravity, windy
        self.world = ("world", gravity)
        self.cells = self.size**2
        self.lives = 3
        self.small = np.int8(5)


class Inherited(World):
    """Passes on what it is given."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)


@pytest.mark.parametrize("kind", [World, Inherited])
def test_gravity_that_the_constructor_takes(register, kind):
    """The attribute would say -4 and the world fall with -10."""
    world = inside(register("Odd/World-v0", kind), attributes={"gravity": -4, "size": 5})
    assert (world.gravity, world.world) == (-4.0, ("world", -4.0))
    assert (world.size, world.cells) == (5, 25)
    assert isinstance(world.size, int)


class Forgetful(World):
    """Begins every episode with all lives."""

    def reset(self, *, seed=None, options=None):
        self.lives = 3
        return super().reset(seed=seed)

    @property
    def area(self):
        return 12.0


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"lives": 2.5}, r"'lives' is an integer \(3\), and 2.5 would be truncated"),
        ({"size": 0.5}, r"'size' is an integer \(3\), and 0.5 would be truncated"),
        ({"small": 300}, r"'small' is 5, not 300"),
        ({"lives": 7}, r"'lives' is 3 after a reset, not 7"),
        ({"area": 10}, r"'area' is 12.0, not 10"),
        ({"windy": 1}, r"'windy' is an argument that is not a number but False: set it in kwargs"),
        ({"mode": 1}, r"'mode' is an argument that is not a number but 'easy'"),
        ({"gravit": 1}, r"no attribute 'gravit' that is a number\. Did you mean .gravity.\?"),
        ({"step": 1}, r"no attribute 'step' that is a number"),
        ({"world": 1}, r"no attribute 'world' that is a number"),
    ],
)
def test_an_attribute_that_would_not_be_what_was_asked(register, attributes, said):
    """A run would be of another environment than its configuration says."""
    with pytest.raises(TaskError, match=said) as raised:
        task_of(register("Odd/World-v0", Forgetful), attributes=attributes)
    assert "\n" not in str(raised.value)


def test_an_attribute_that_is_an_option_too(register):
    """One of two values would win silently."""
    name = register("Odd/World-v0", World)
    with pytest.raises(TaskError, match="'gravity' is both in kwargs and in attributes"):
        task_of(name, attributes={"gravity": 1}, kwargs={"gravity": 2.0})


def test_attributes_of_an_environment_that_a_function_makes(register):
    """What its constructor computed would be stale, as nobody can come before it."""
    name = register("Odd/Function-v0", lambda: World())
    with pytest.raises(TaskError, match="made by a function or a wrapper.*from lives would not"):
        task_of(name, attributes={"lives": 5})


# Pictures ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "taken"),
    [
        ((4, 84, 84), (4, 84, 84)),
        ((84, 84, 4), (4, 84, 84)),
        ((210, 160, 3), (3, 210, 160)),
        ((3, 210, 160), (3, 210, 160)),
        ((1, 28, 28), (1, 28, 28)),
        ((12, 84, 84), (12, 84, 84)),
        ((7, 7, 20), (20, 7, 7)),
        ((10, 10, 6), (6, 10, 10)),
        ((96, 72, 16), (16, 96, 72)),
    ],
)
def test_stacked_frames_are_channels_first(register, shape, taken):
    """(4, 84, 84) would become (84, 4, 84), and training finish as if nothing were."""
    task = task_of(register("Odd/Given-v0", Given, kwargs={"space": Box(0, 255, shape, np.uint8)}))
    assert task.input_shape == taken


@pytest.mark.parametrize("shape", [(10, 10, 10), (84, 4, 84), (3, 3, 2), (8, 9, 111), (4, 84, 3)])
def test_a_board_whose_channels_nobody_can_tell(register, shape):
    """It would be guessed; said either way, it is taken."""
    name = register("Odd/Given-v0", Given, kwargs={"space": Box(0, 1, shape)})
    with pytest.raises(TaskError, match='set channels to "last" or "first"'):
        task_of(name)
    assert task_of(name, channels="first").input_shape == shape
    assert task_of(name, channels="last").input_shape == (shape[2], *shape[:2])


# Actions and spaces ------------------------------------------------------------------------


@pytest.mark.parametrize("action", [40_000, 2**31 + 5])
def test_forty_thousand_actions(action):
    """They would not fit into what a checkpoint keeps, half a minute into a run."""
    lane = Lane(pathnet_evo.Candidate(0, 0, ((0,),), None, 0))
    lane.begin_episode(3)
    lane.stepped(action, 1.0, 1)
    again = Lane.restored(lane.state(np.zeros(2)))
    assert again.actions == [action]


def test_actions_of_an_older_checkpoint():
    """A run of an earlier version could not be resumed."""
    lane = Lane(pathnet_evo.Candidate(0, 0, ((0,),), None, 0))
    lane.begin_episode(3)
    lane.stepped(17, 1.0, 1)
    state = lane.state(np.zeros(2))
    assert state["actions"].dtype == torch.int16, "what fits is kept as before"
    state["actions"] = torch.tensor([17, 0, 5], dtype=torch.int16)
    assert Lane.restored(state).actions == [17, 0, 5]


@pytest.mark.slow
def test_a_run_with_forty_thousand_actions(register, tmp_path, run_of):
    """It would end at its first checkpoint."""
    name = register("Odd/Given-v0", Given, kwargs={"n": 40_000})
    options = {"checkpoints": {"seconds": 1e-6}}
    run = pathnet_evo.launch(run_of({"id": name}) | options, runs_dir=tmp_path)
    assert run.summary["state"] == "finished"


def test_more_actions_than_fit_into_memory(register, run_of):
    """The machine would swap, or torch end the run with a traceback."""
    name = register("Odd/Given-v0", Given, kwargs={"n": 2**40})
    with pytest.raises(ConfigError, match="1099511627777 outputs need about"):
        preparing.prepare(run_of({"id": name}), [], Registry())


def test_an_observation_that_is_one_number(register):
    """A Box of shape () would be an IndexError."""
    seen = np.float32(0.25)
    kwargs = {"space": Box(-1, 1, ()), "seen": seen}
    name = register("Odd/Given-v0", Given, kwargs=kwargs)
    assert task_of(name).input_shape == (1,)
    assert played(name).observations.tolist() == [[0.25], [0.25]]


@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 84, 84)])
def test_observations_without_numbers(register, shape):
    """They would be a ZeroDivisionError."""
    name = register("Odd/Given-v0", Given, kwargs={"space": Box(-1, 1, shape)})
    with pytest.raises(TaskError, match="are empty"):
        task_of(name)


def test_an_environment_that_is_registered_without_a_limit(register):
    """max_episode_steps = -1, Gymnasium's word for none, would be a bare AssertionError."""
    assert (
        task_of(register("Odd/Endless-v0", Given, max_episode_steps=-1)).max_episode_steps == 10_000
    )
    name = register("Odd/Nothing-v0", Given, max_episode_steps=0)
    with pytest.raises(
        TaskError, match="registered with max_episode_steps = 0: set max_episode_steps"
    ):
        task_of(name)
    assert task_of(name, max_episode_steps=7).max_episode_steps == 7


# What is given -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reward", [np.array([2.5]), np.array([[2.5]]), np.float16(2.5), torch.tensor([2.5]), [2.5]]
)
def test_a_reward_that_is_an_array_of_one_number(register, reward):
    """It would fail the whole run."""
    name = register("Odd/Given-v0", Given, kwargs={"reward": reward})
    assert played(name).rewards.tolist() == [2.5, 2.5]


@pytest.mark.parametrize("reward", [None, "2.5", np.zeros(2), [], 1j, 10**30], ids=str)
def test_a_reward_that_is_no_number(register, reward):
    """It would be refused without the word reward, or None be learned from as NaN."""
    name = register("Odd/Given-v0", Given, kwargs={"reward": reward})
    with pytest.raises(EnvironmentFailed, match="the reward is not one number") as raised:
        played(name)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("kwargs", "said"),
    [
        ({"seen": np.zeros(3)}, r"an observation is \(3,\), but its space says \(2,\)"),
        ({"seen": np.zeros(1)}, r"an observation is \(1,\), but its space says \(2,\)"),
        ({"seen": np.array([None, None])}, "holds no numbers"),
        ({"seen": np.array([0.0, np.nan])}, "an observation is not finite: nan"),
        ({"seen": np.array([0.0, 1e300])}, r"an observation is not finite: 1e\+300"),
        (
            {"space": Box(0, 255, (2,), np.uint8), "seen": np.array([0.5, 1])},
            "holds 0.5, but its space says bytes",
        ),
        ({"over": None}, "terminated is not one number but None"),
        ({"over": 2}, "terminated is neither true nor false but 2"),
    ],
)
def test_an_environment_that_gives_other_things_than_it_says(register, kwargs, said):
    """Values would be cut, spread over others, or make a network's actions all the first one."""
    with pytest.raises(EnvironmentFailed, match=said):
        played(register("Odd/Given-v0", Given, kwargs=kwargs))


def test_an_environment_without_a_render_mode(register):
    """It would be refused although gymnasium.make takes it."""

    class Bare(Given):
        def __init__(self):
            super().__init__()

    name = register("Odd/Bare-v0", Bare)
    assert played(name).rewards.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("name", ["ALE/Pong-v5", "PongNoFrameskip-v4", "MsPacman-v0"])
def test_a_game_of_atari_by_its_old_name(monkeypatch, name):
    """Nobody would be told that there is a task for it."""
    monkeypatch.delitem(gymnasium.registry, name, raising=False)  # as if ale-py were not imported
    with pytest.raises(ValidationError, match=f'the task atari.*game = "{name}"'):
        GymSettings(id=name)


# Everything at once ------------------------------------------------------------------------


@pytest.mark.slow
def test_environments_that_nobody_has_thought_of():
    """Odd spaces, observations, rewards and ends would be learned wrongly, or end in tracebacks."""
    file = Path(__file__).parents[3] / "benchmarks" / "fuzz_environments.py"
    spec = importlib.util.spec_from_file_location("fuzz_environments", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_environments"] = module
    spec.loader.exec_module(module)
    counted = module.fuzz(60)
    assert min(counted["taken"], counted["refused"]) > 10
