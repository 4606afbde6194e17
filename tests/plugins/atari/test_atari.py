"""Atari games as tasks: what an option says is what the emulator does."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from pathnet_evo import Streams, TaskContext, TaskError
from pathnet_evo.testing import TaskContract
from pathnet_evo_atari.games import find, games
from pathnet_evo_atari.task import AtariSettings

pytestmark = pytest.mark.slow


def made(shape=None, **options):
    settings = AtariSettings(**options)
    return settings.make(TaskContext(Streams(0), 0, [settings], shape))


def lanes(seeds, *, render=False, shape=None, **options):
    return made(shape, **options).make(len(seeds), seeds, render=render)


def played(env, actions, seed=None):
    """Observations, rewards and ends of a first reset and then the steps of ``(T, K)`` actions."""
    seen = [env.reset(seed=seed)[0].copy()]
    rewards, ends = [], []
    for row in np.array(actions):
        x, reward, terminated, truncated, _ = env.step(row)
        seen.append(x.copy())
        rewards.append(reward)
        ends.append(terminated | truncated)
    env.close()
    return np.array(seen), np.array(rewards), np.array(ends)


def random_actions(steps, n_lanes, n_actions, seed=0):
    return np.random.default_rng(seed).integers(n_actions, size=(steps, n_lanes))


class TestContract(TaskContract):
    def settings(self):
        return AtariSettings(game="breakout", threads=1)


@pytest.mark.parametrize(
    "name", ["riverraid", "river-raid", "RiverRaid", "ALE/Riverraid-v5", "RiverraidNoFrameskip-v4"]
)
def test_games_have_many_names(name):
    """People would have to know how ale-py spells a game."""
    assert find(name) == "riverraid"
    assert AtariSettings(game=name).game == "riverraid"


def test_the_games_of_the_paper_are_there():
    """A preset would name a game that does not exist."""
    named = "pong riverraid seaquest alien asterix boxing centipede gopher hero jamesbond krull "
    named += "robotank road_runner star_gunner wizard_of_wor"
    assert set(named.split()) <= set(games())


@pytest.mark.parametrize(("asked", "offered"), [("riverad", "riverraid"), ("MsPackman", "ms_pac")])
def test_unknown_games_are_refused_with_the_nearest(asked, offered):
    """A typing error would show as a traceback of ale-py's, or not before the run."""
    with pytest.raises(ValidationError, match=rf'game "{asked}".* Did you mean .*{offered}'):
        AtariSettings(game=asked)


def test_shapes():
    """The pool would be given something else than it was made for."""
    assert made().input_shape == (4, 84, 84)
    assert made(size=42, frame_stack=2).input_shape == (2, 42, 42)
    assert made(shape=(3, 48, 64)).input_shape == (3, 48, 64), "it follows the pool"
    assert made(shape=(3, 48, 64), size=84, frame_stack=4).input_shape == (4, 84, 84)
    with pytest.raises(TaskError, match=r"but the pool takes \(4,\). Set pool.input_shape"):
        made(shape=(4,))


def test_task():
    """Budgets and the network's input would be off."""
    task = made(game="pong", frame_skip=3, max_episode_frames=100)
    assert (task.n_actions, len(task.actions), task.frame_skip, task.max_episode_steps) == (
        6,
        6,
        3,
        34,
    )
    assert made(game="pong", full_action_space=True).n_actions == 18
    assert torch.equal(torch.tensor([0, 255]) * task.scale, torch.tensor([0.0, 1.0]))


@pytest.mark.parametrize("game", ["pong", "boxing", "breakout", "alien"])
def test_the_background_is_zero(game):
    """What moves would be lost in a bright screen: on Pong, all units of a layer died."""
    task = made(game=game, threads=1)
    seen, *_ = played(task.make(2, [0, 1]), np.zeros((40, 2), dtype=int))
    values, counts = np.unique(seen[-1, :, -1], return_counts=True)
    common = torch.tensor(values[counts.argmax()], dtype=torch.float32)
    assert (common - task.shift) * task.scale == 0
    assert made(game=game, shift=5).shift == 5


def test_a_lane_depends_on_its_own_seed_and_actions_alone():
    """A lane could not be played again, and results would depend on the machine's cores."""
    actions = random_actions(220, 3, 4)
    sticky = {"game": "breakout", "repeat_action_probability": 0.25}
    many = played(lanes([5, 6, 7], threads=2, **sticky), actions)
    alone = played(lanes([7], threads=1, **sticky), actions[:, 2:])
    assert many[2].any(), "no episode ended: the test must be longer"
    for together, single in zip(many, alone, strict=True):
        assert np.array_equal(together[:, 2:], single)


def test_a_reset_by_mask_begins_an_episode_from_its_seed():
    """An episode that follows another would not be the one that its seed stands for."""
    env = lanes([1, 2], game="breakout")
    env.reset()
    actions = random_actions(150, 2, 4)
    for row in actions:
        before, *_ = env.step(row)
    seen, _ = env.reset(seed=[0, 9], options={"reset_mask": np.array([False, True])})
    fresh = lanes([9], game="breakout")
    wanted, _ = fresh.reset()
    assert np.array_equal(seen[0], before[0]), "the other lane was touched"
    assert np.array_equal(seen[1], wanted[0])
    for row in actions:
        x, reward, *_ = env.step(row)
        y, same, *_ = fresh.step(row[1:])
        assert np.array_equal(x[1], y[0])
        assert reward[1] == same[0]


def test_rewards_are_raw():
    """Scores would be clipped, and no longer those that people compare."""
    _, rewards, _ = played(lanes([1], game="riverraid"), random_actions(150, 1, 18))
    assert rewards.max() > 1


def test_no_ops_come_from_the_seed_and_are_fewer_than_their_bound():
    """All episodes would begin alike, or the option would mean something else."""
    options = {"game": "pong", "fire_on_reset": False, "resets": "reload"}
    env = lanes([0, 1], noop_max=3, **options)
    starts = [env.reset()[1]["episode_frame_number"].tolist() for _ in range(12)]
    assert {start for pair in starts for start in pair} == {0, 1, 2}
    assert starts[0] == env.reset(seed=[0, 1])[1]["episode_frame_number"].tolist()
    env = lanes([0], noop_max=0, **options)
    assert env.reset()[1]["episode_frame_number"].tolist() == [0]


def opened(env, seed):
    """Steps of the openings of ``(K,)`` seeds, after a reset of all lanes."""
    _, info = env.reset(seed=seed)
    steps = np.zeros(len(seed), dtype=int)
    while info["opening"].any():
        steps += info["opening"]
        *_, info = env.step(np.full(len(seed), 2))
    return steps


def test_quick_resets_begin_with_no_ops_of_the_seed():
    """All episodes would begin alike, or an episode could not be begun again from its seed."""
    env = lanes(range(8), game="pong", noop_max=9)
    seeds = np.arange(40).reshape(5, 8)
    drawn = np.array([opened(env, row.tolist()) for row in seeds])
    assert set(drawn.flat) == {0, 1, 2}, "9 frames are 0 to 2 steps of 4, which are fewer than 9"
    assert np.array_equal(drawn[1], opened(env, seeds[1].tolist()))
    assert not opened(lanes([0, 1], game="pong", noop_max=0), [0, 1]).any()
    assert opened(lanes(range(8), game="pong", max_episode_frames=5), range(8)).max() == 1


@pytest.mark.parametrize("game", ["breakout", "pong"])
def test_an_opening_is_no_ops(game):
    """Actions of the policy, or rewards and ends that are not its own, would be in the opening."""
    env, plain = lanes([3, 4, 5], game=game), lanes([0] * 3, game=game, noop_max=0)
    actions = random_actions(60, 3, 4, seed=1)
    steps = opened(env, [3, 4, 5])
    assert len(set(steps)) > 1
    seen, info = env.reset(seed=[3, 4, 5])
    same, _ = plain.reset()
    for t, row in enumerate(actions):
        assert np.array_equal(seen, same)
        assert np.array_equal(info["opening"], t < steps)
        seen, rewards, *_, info = env.step(row)
        same, others, *_ = plain.step(np.where(t < steps, 0, row))
        assert np.array_equal(rewards, np.where(t < steps, 0, others))


@pytest.mark.parametrize(
    "game", ["breakout", "pong", "alien", "demon_attack", "frostbite", "pitfall2"]
)
def test_episodes_do_not_depend_on_those_before(game):
    """A replay would part from its original: some games keep their memory across resets."""
    env, fresh = lanes([1, 2], game=game), lanes([8, 9], game=game)
    env.reset()
    for row in random_actions(150, 2, 3, seed=2):
        env.step(row)
    ours, theirs = env.reset(seed=[8, 9]), fresh.reset()
    for row in random_actions(150, 2, 3):
        assert np.array_equal(ours[0], theirs[0])
        ours, theirs = env.step(row), fresh.step(row)
        assert np.array_equal(ours[1], theirs[1])


def test_what_resets_by_itself_begins_with_no_ops_as_well():
    """A learner that leaves resets to the environment would see one episode again and again."""
    env = lanes(range(4), game="pong", max_episode_frames=40, fire_on_reset=False)
    env.reset()
    drawn = []
    for _ in range(60):
        *_, info = env.step(np.zeros(4, dtype=int))
        drawn += (info["episode_frame_number"] == 0)[info["opening"]].tolist()
    assert any(drawn)


def test_fire_on_reset():
    """Breakout would wait for a ball that nobody throws."""
    still = np.zeros((30, 1), dtype=int)
    fired, _, _ = played(lanes([0], game="breakout", noop_max=0), still)
    waits, _, _ = played(lanes([0], game="breakout", noop_max=0, fire_on_reset=False), still)
    assert np.array_equal(waits[-1], waits[-2]), "without a ball nothing moves"
    assert not np.array_equal(fired[-1], waits[-1])


def test_episodic_life():
    """The option would do nothing, or end a game whose score then counts twice."""
    actions = random_actions(250, 1, 4)
    env = lanes([3], game="breakout", episodic_life=True)
    env.reset()
    lives = []
    for row in actions:
        *_, terminated, _, info = env.step(row)
        lives += info["lives"].tolist()
        if terminated[0]:
            break
    assert lives[-1] == 4, "it ends with the first of five lives"
    _, _, ends = played(lanes([3], game="breakout"), actions)
    assert not ends[: len(lives)].any(), "without it, it goes on"


def test_episodes_are_cut_off():
    """An episode could last for ever."""
    env = lanes([0], game="pong", max_episode_frames=10, noop_max=0)
    env.reset()
    cut = [env.step(np.array([0]))[3][0] for _ in range(3)]
    assert cut == [False, False, True], "after ten frames, four a step"


def test_actions_that_do_not_exist_are_refused():
    """ale-py waits for ever for a lane whose thread gave up."""
    env = lanes([0], game="breakout")
    env.reset()
    with pytest.raises(ValueError, match="actions are 0 to 3"):
        env.step(np.array([4]))


def test_pictures_are_of_the_game_that_is_played():
    """A video would show another game than the one whose score is told."""
    actions = random_actions(160, 2, 4, seed=3)
    env = lanes([5, 6], render=True, game="breakout", repeat_action_probability=0.25)
    env.reset()
    for row in actions:
        seen, *_, info = env.step(row)
        if info["episode_frame_number"].min() < 200:
            continue
        grey = np.array([luma(picture) for picture in env.render()])
        assert abs(grey - shrunk(seen[:, -1], grey.shape[1:])).mean() < 6
    assert [picture.shape for picture in env.render()] == [(210, 160, 3)] * 2
    assert env.metadata["render_fps"] == 15


def luma(picture):
    return picture @ np.array([0.299, 0.587, 0.114])


def shrunk(small, size):
    """Small pictures stretched to a size, by nearest neighbours."""
    rows = np.arange(size[0]) * small.shape[1] // size[0]
    columns = np.arange(size[1]) * small.shape[2] // size[1]
    return small[:, rows][:, :, columns].astype(float)
