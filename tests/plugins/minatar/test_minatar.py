"""MinAtar's games as tasks: what is played is what the package ``minatar`` plays."""

import logging
import sys

import numpy as np
import pytest
from pydantic import ValidationError

from pathnet_evo import Streams, TaskContext, TaskError
from pathnet_evo.testing import TaskContract
from pathnet_evo_minatar import games
from pathnet_evo_minatar.task import MinAtarSettings

STEPS = 300


def made(shape=None, sequence=(), **options):
    settings = MinAtarSettings(**options)
    return settings.make(TaskContext(Streams(0), 0, [settings, *sequence], shape))


def random_actions(lanes, n_actions=6, seed=0):
    return np.random.default_rng(seed).integers(n_actions, size=(STEPS, lanes))


class TestContract(TaskContract):
    def settings(self):
        return MinAtarSettings(game="seaquest")


@pytest.fixture
def package(monkeypatch):
    """The package's own environment, with its libraries for drawing as if not installed."""
    for name in ("seaborn", "matplotlib"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in [name for name in sys.modules if name.partition(".")[0] == "minatar"]:
        monkeypatch.delitem(sys.modules, name)
    logging.disable(logging.WARNING)
    from minatar import Environment

    yield Environment
    logging.disable(logging.NOTSET)
    for name in [name for name in sys.modules if name.partition(".")[0] == "minatar"]:
        del sys.modules[name]


@pytest.mark.parametrize("game", games.GAMES)
@pytest.mark.parametrize("sticky", [0.0, 0.3])
def test_games_are_those_of_the_package(package, game, sticky):
    """Scores would not be comparable with anybody else's."""
    env = made(game=game, repeat_action_probability=sticky).make(2, [3, 4])
    theirs = [package(game, sticky_action_prob=sticky) for _ in range(2)]
    seen, _ = env.reset()
    for lane, own in enumerate(theirs):
        own.seed(3 + lane)
        own.reset()
    over = [False, False]
    for row in random_actions(2):
        for lane, own in enumerate(theirs):
            planes = own.state().transpose(2, 0, 1)
            assert np.array_equal(seen[lane, : len(planes)], planes)
            assert not seen[lane, len(planes) :].any()
        expected = []
        for own, action, ended in zip(theirs, row, over, strict=True):
            if ended:
                own.last_action = 0
                own.reset()
            expected.append((0, False) if ended else own.act(action))
        seen, rewards, terminated, truncated, _ = env.step(row)
        assert [(r, bool(e)) for r, e in expected] == list(zip(rewards, terminated, strict=True))
        assert not truncated.any()
        over = terminated.tolist()


def test_drawing_libraries_are_not_imported(monkeypatch):
    """A task would take two seconds to import pandas and seaborn, or warn that they are missing."""
    monkeypatch.delitem(sys.modules, "minatar", raising=False)
    games._module.cache_clear()
    made(game="freeway").make(1, [0]).reset()
    assert "minatar" not in sys.modules


def test_a_lane_depends_on_its_own_seed_and_actions_alone():
    """A lane could not be brought back when a run is resumed."""
    many, alone = made(game="asterix").make(3, [5, 6, 7]), made(game="asterix").make(1, [7])
    seen, same = many.reset()[0], alone.reset()[0]
    for row in random_actions(3):
        assert np.array_equal(seen[2:], same)
        (seen, rewards, *_), (same, single, *_) = many.step(row), alone.step(row[2:])
        assert rewards[2] == single[0]
    before = seen.copy()
    mask = np.array([True, False, False])
    seen, _ = many.reset(seed=[9, 0, 0], options={"reset_mask": mask})
    assert np.array_equal(seen[1:], before[1:]), "other lanes were touched"
    same, _ = made(game="asterix").make(1, [9]).reset()
    actions = random_actions(3, seed=1)
    env = made(game="asterix").make(1, [9])
    env.reset()
    for row in actions[:50]:
        assert np.array_equal(many.step(row)[0][0], env.step(row[:1])[0][0])


def test_shapes():
    """Games of one sequence would not fit one pool."""
    assert {made(game=game).input_shape for game in games.GAMES} == {(10, 10, 10)}
    assert made((4, 10, 10), game="breakout").input_shape == (4, 10, 10)
    assert made((12, 10, 10), game="seaquest").input_shape == (12, 10, 10)
    for shape in [(9, 10, 10), (10, 84, 84), (10,)]:
        with pytest.raises(TaskError, match=r"10 colour planes of 10 x 10, but the pool takes \("):
            made(shape, game="seaquest")


def test_actions():
    """A policy would choose among actions that do nothing, or other games' actions."""
    assert made(game="breakout").n_actions == 6
    task = made(game="breakout", full_action_space=False)
    assert task.actions == ("noop", "left", "right")
    env, full = task.make(1, [0]), made(game="breakout").make(1, [0])
    env.reset(), full.reset()
    for action in random_actions(1, 3):
        ours, theirs = env.step(action), full.step(np.array([(0, 1, 3)[action[0]]]))
        assert np.array_equal(ours[0], theirs[0])


def test_games_of_a_sequence_share_their_actions():
    """Paths of one game would be read by another game's actions."""
    few = {"full_action_space": False}
    other = MinAtarSettings(game="asterix", **few)
    with pytest.raises(TaskError, match="actions noop, left, right, but asterix noop, left, up, "):
        made(game="breakout", sequence=[other], **few)
    assert made(game="breakout", sequence=[MinAtarSettings(game="asterix")]).n_actions == 6


def test_episodes_are_cut_off():
    """A good path's episode could last for ever."""
    env = made(game="freeway", max_episode_steps=3).make(1, [0])
    env.reset()
    ends = [tuple(part[0] for part in env.step(np.array([0]))[2:4]) for _ in range(5)]
    assert ends == [(False, False), (False, False), (False, True), (False, False), (False, False)]


def test_pictures():
    """Playing could not be watched."""
    env = made(game="breakout").make(2, [0, 1], render=True)
    env.reset()
    env.step(np.array([0, 0]))
    first, second = env.render()
    assert first.shape == (160, 160, 3)
    assert first.dtype == np.uint8
    assert len(np.unique(first.reshape(-1, 3), axis=0)) == 4, "nothing, paddle, trail and bricks"
    assert not np.array_equal(first, second), "the ball starts elsewhere"


@pytest.mark.parametrize("name", ["space_invaders", "Space-Invaders", "MinAtar/SpaceInvaders-v1"])
def test_games_have_many_names(name):
    """People would have to know how MinAtar spells a game."""
    assert MinAtarSettings(game=name).game == "space_invaders"


def test_unknown_games_are_refused():
    """A typing error would show as a traceback of the package's."""
    with pytest.raises(ValidationError, match='no game "pong" in MinAtar.*have: asterix, breakout'):
        MinAtarSettings(game="pong")


def test_a_missing_package_is_named(monkeypatch):
    """A user without the extra would see a traceback."""
    games._module.cache_clear()
    monkeypatch.setattr(games, "find_spec", lambda name: None)
    with pytest.raises(
        TaskError, match=r"which is not installed: pip install 'pathnet-evo\[minatar\]'"
    ):
        made()
