"""The environments keep Gymnasium's promises, and repeat to the bit."""

import gc
import os
import subprocess
import sys
import warnings
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from pathnet_evo import Streams, TaskContext
from pathnet_evo.testing import TaskContract

pytest.importorskip("vizdoom", reason="vizdoom is not installed")

from pathnet_evo_labyrinth.block import Block
from pathnet_evo_labyrinth.catalogue import LEVELS
from pathnet_evo_labyrinth.task import LabyrinthSettings
from pathnet_evo_labyrinth.vector import LabyrinthVectorEnv


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
def test_check_env(level):
    """Broken: wrappers and learners written for Gymnasium would not work."""
    if level == "nav_maze":
        pytest.importorskip("labmaze", reason="labmaze is not installed (none for Python 3.13)")
    name = f"pathnet_evo_labyrinth.environments:pathnet_evo/Labyrinth-{level}-v0"
    env = gymnasium.make(name).unwrapped
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env, skip_render_check=True, skip_close_check=True)
    env.close()


class TestContract(TaskContract):
    """The labyrinth would not be a task like any other."""

    def settings(self):
        return LabyrinthSettings(seconds=2)


@pytest.mark.slow
def test_registration_starts_no_engine():
    """Broken: whoever imports the registration would pay for an engine."""
    program = (
        "import sys, gymnasium, pathnet_evo_labyrinth.environments as e\n"
        "assert 'pathnet_evo/Labyrinth-lt_chasm-v0' in gymnasium.registry\n"
        "assert 'vizdoom' not in sys.modules and 'labmaze' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def played(env, actions, seeds):
    """All that is seen and given, lane by lane."""
    seen, infos = env.reset(seed=seeds)
    found = [[seen, *infos.values()]]
    for row in actions:
        seen, rewards, over, cut, infos = env.step(row)
        found.append([seen, rewards, over, cut, *infos.values()])
    return found


def equal(one, other):
    return all(
        np.array_equal(a, b)
        for x, y in zip(one, other, strict=True)
        for a, b in zip(x, y, strict=True)
    )


@pytest.mark.slow
@pytest.mark.parametrize("level", ["lt_chasm", "seekavoid_arena", "stairway_to_melon"])
def test_inputs_lie_about_zero(lanes, level):
    """Broken: every unit would see little but how bright the level is."""
    settings = LabyrinthSettings(level=level)
    task = settings.make(TaskContext(Streams(0), 0, [settings], None))
    env = lanes(level, 2)
    actions = np.random.default_rng(0).integers(task.n_actions, size=(30, 2))
    seen = np.stack([step[0] for step in played(env, actions, [0, 1])])
    assert abs((seen - task.shift.numpy()).mean() * float(task.scale)) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("level", "option"), [("lt_chasm", {"skill": 5}), ("seekavoid_arena", {"placement": "drawn"})]
)
def test_repeats_to_the_bit(lanes, level, option):
    """Broken: no result with this task could be repeated, and no trial be gone on with."""
    actions = np.random.default_rng(0).integers(10, size=(120, 2))
    options = {"seconds": 6, **option}
    env = lanes(level, 2, **options)
    first = played(env, actions, [3, 4])
    assert equal(first, played(env, actions, [3, 4])), "on engines that have played before"
    assert equal(first, played(lanes(level, 2, workers=1, **options), actions, [3, 4]))
    assert not equal(first, played(env, actions, [5, 4]))
    assert any(cut.any() for _, _, _, cut, *_ in first[1:]), "it goes on into further episodes"


@pytest.mark.slow
def test_lanes_do_not_depend_on_one_another(lanes):
    """Broken: what a path earns would depend on its neighbours."""
    actions = np.random.default_rng(1).integers(10, size=(80, 3))
    three = played(lanes("lt_chasm", 3, seconds=6), actions, [7, 8, 9])
    for lane in (0, 2):
        alone = played(lanes("lt_chasm", 1, seconds=6), actions[:, [lane]], [7 + lane])
        assert all(
            np.array_equal(a[lane], b[0])
            for x, y in zip(three, alone, strict=True)
            for a, b in zip(x, y, strict=True)
        )


@pytest.mark.slow
def test_some_lanes_begin_anew(lanes):
    """Broken: a learner could not begin one lane's evaluation while others go on."""
    env = lanes("stairway_to_melon", 2)
    env.reset(seed=[0, 1])
    for _ in range(12):
        _, _, _, _, infos = env.step(np.array([2, 2]))
    went = infos["position_y"].copy()
    _, infos = env.reset(seed=[5, 6], options={"reset_mask": np.array([True, False])})
    assert infos["position_y"][0] == 96
    assert infos["position_y"][1] == went[1] > 200


@pytest.mark.slow
def test_the_end_of_time_is_a_truncation(lanes):
    """Broken: values would be cut off where the world goes on."""
    env = lanes("seekavoid_arena", 2, seconds=1)
    env.reset(seed=0)
    ends = [env.step(np.array([7, 7]))[2:4] for _ in range(20)]
    assert not any(over.any() for over, _ in ends)
    assert [int(cut[0]) for _, cut in ends] == ([0] * 8 + [1] + [0]) * 2, (
        "nine steps, and one that begins the next episode"
    )


@pytest.mark.slow
def test_sizes_and_pictures(lanes):
    """Broken: what is seen would not be what was asked for, or rendering would change it."""
    plain, drawing = lanes(size=(60, 100)), lanes(size=(60, 100), pictures=True)
    for action in ([2], [8]):
        seen = [played(env, np.array([action]), [0])[-1][0] for env in (plain, drawing)]
        assert np.array_equal(*seen)
        assert seen[0].shape == (1, 3, 60, 100)
    (picture,) = drawing.render()
    assert picture.dtype == np.uint8
    assert picture.shape[0] == 480
    assert picture[:, :640].reshape(120, 4, 160, 4, 3)[:, 1, :, 2].shape == (120, 160, 3)
    grass = picture[-20:, :640].mean((0, 1))
    assert grass[1] > grass[0] > 0, "the ground is green"
    assert plain.render() is None


def test_the_task_follows_the_pool():
    """Broken: the second level of a sequence would not fit the pool."""
    context = TaskContext(Streams(0), 0, [], (3, 40, 48))
    task = LabyrinthSettings(level="lt_chasm", seconds=10).make(context)
    assert task.input_shape == (3, 40, 48)
    assert task.frame_skip == 4
    assert task.max_episode_steps == 88
    assert float(task.scale) == pytest.approx(1 / 255)
    assert len(task.actions) == task.n_actions == 10


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs Linux")
def test_workers_take_a_core_each(lanes):
    """Broken: all engines would share one core, and the others stand idle."""
    n = min(2, len(os.sched_getaffinity(0)))
    envs = [lanes("seekavoid_arena", 1) for _ in range(n)]
    for env in envs:
        env.reset(seed=0)
    guards = [env._engines.workers.members[0].link.guard.pid for env in envs]
    workers = [Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0] for pid in guards]
    cores = [os.sched_getaffinity(int(pid)) for pid in workers]
    assert [len(own) for own in cores] == [1] * n
    assert len(set.union(*cores)) == n


@pytest.mark.slow
def test_closed_engines_are_not_asked(lanes):
    """Broken: a closed environment would show its last picture for ever, or start new engines."""
    from pathnet_evo_labyrinth.engine import EngineError

    env = lanes("seekavoid_arena", 1)
    env.reset(seed=0)
    env.close()
    env.close()
    for use in (lambda: env.step(np.array([0])), lambda: env.reset(seed=0)):
        with pytest.raises(EngineError, match="closed"):
            use()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux to count")
def test_nothing_stays_open(lanes):
    """Broken: who makes many environments would run out of descriptors and memory."""
    game = lanes().game
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    env = LabyrinthVectorEnv(game, 1)
    env.reset(seed=0)
    env.close()
    del env
    Block(game.spec(2))
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.slow
def test_an_interrupted_step_is_not_answered_by_the_next(lanes, monkeypatch):
    """Broken: after Ctrl-C in a notebook, every step would show what the one before it led to."""
    from pathnet_evo_labyrinth.guarded import GuardedLink

    env, calm = lanes("seekavoid_arena", 2), lanes("seekavoid_arena", 2)

    def interrupt(*arguments):
        raise KeyboardInterrupt

    env.reset(seed=0)
    with monkeypatch.context() as patch:
        patch.setattr(GuardedLink, "received", interrupt)
        with pytest.raises(KeyboardInterrupt):
            env.step(np.array([2, 2]))
    for one in (env, calm):
        one.reset(seed=3)
    for action in (2, 0, 5):
        step = np.array([action, action])
        np.testing.assert_equal(env.step(step)[:2], calm.step(step)[:2])
