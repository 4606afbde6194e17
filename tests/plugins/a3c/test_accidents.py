"""Environments that raise, lie, never end, or reset in ways of their own."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv

from pathnet_evo.core.kinds import Linear
from pathnet_evo.core.network import PathNetwork
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo.interfaces.learners import LearningContext
from pathnet_evo.interfaces.tasks import EnvironmentTask, TaskError
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.setup import config
from pathnet_evo.setup.resolving import resolve
from pathnet_evo_a3c.episodes import Episodes
from pathnet_evo_a3c.learner import A3C

pytestmark = pytest.mark.slow

GENES = ((0, 1), (2, 2))
ALL = np.ones(3, dtype=np.bool_)


def evaluator_on(task, **settings):
    """An evaluator with three lanes."""
    streams = Streams(0, 0)
    pool = ModulePool([Linear(units=6)] * 2, 5, task.input_shape)
    pool.initialise(lambda layer: streams.torch("init", layer))
    head = pool.head(task.n_actions + 1, streams.torch("readout"))
    context = LearningContext(pool, head, task, torch.device("cpu"), streams, True)
    return A3C(**{"num_envs": 3, "rollout_length": 4, "episodes": 2, **settings}).evaluator(context)


def finish(evaluator, n=3, first=0):
    """The evaluations of some candidates."""
    for i in range(first, first + n):
        evaluator.submit(Candidate(i, i, GENES, None, i))
    done = []
    for _ in range(200):
        done += evaluator.advance()
        if len(done) == n:
            return done
    raise AssertionError("lost")


def test_an_environment_that_raises_is_made_anew(walk, tmp_path):
    """Broken: one bad step would end a run, or nobody would learn why a lane failed."""
    evaluator = evaluator_on(walk(accident="raise", once=str(tmp_path / "once")))
    causes = {evaluation.cause.rpartition(":")[0] for evaluation in finish(evaluator)}
    assert causes == {"the environment raised RuntimeError: the floor gave way, at environments.py"}
    assert not any(evaluation.failed for evaluation in finish(evaluator, first=3))


@pytest.mark.parametrize(
    ("accident", "said"), [("raise", "the floor gave way"), ("nan", "gave a reward of nan")]
)
def test_an_environment_that_fails_while_it_is_scored(walk, tmp_path, accident, said):
    """Broken: one bad step would cost the score, after a whole stage's budget was spent."""
    pool = ModulePool([Linear(units=2)], 1, (3,))
    head = pool.head(3, torch.Generator())
    head.readout.parameters["weight"].zero_()
    head.readout.parameters["bias"].copy_(torch.tensor([[0.0, 200.0, 0.0]]))
    network = pool.network(((0,),), head)
    learner = A3C(score_episodes=5, num_envs=2, max_restarts=1)
    # Always right: two steps at -0.1, and 2.5 at the end.
    once = walk(goal=3, accident=accident, at=3, once=str(tmp_path / "once"))
    assert learner.score(network, once, Streams(0, 0)) == {"mean_return": pytest.approx(2.3)}
    assert (tmp_path / "once").exists()
    always = walk(goal=3, accident=accident, at=3)
    with pytest.raises(TaskError, match=said):
        learner.score(network, always, Streams(0, 0))
    once = walk(goal=3, accident=accident, at=3, once=str(tmp_path / "another"))
    assert np.isfinite(learner.random_baseline(once, Streams(0, 0)))
    assert (tmp_path / "another").exists()


def test_an_environment_is_not_made_for_ever(walk):
    """Broken: a task that always raises would be tried for ever, at the cost of starting it."""
    task = walk(accident="raise", at=1)
    evaluator = evaluator_on(task, max_restarts=1)
    for first in (0, 3):
        finish(evaluator, first=first)
    object.__setattr__(task, "options", {})
    assert "given up" in finish(evaluator, first=6)[0].cause


@pytest.mark.parametrize("reward", [float("nan"), float("inf")])
def test_a_reward_that_is_no_number_fails_its_lane(walk, reward):
    """Broken: the pool would be filled with numbers that are none."""
    evaluator = evaluator_on(walk(reward=reward))
    before = [layer.parameters["weight"].clone() for layer in evaluator.context.pool.layers]
    for evaluation in finish(evaluator):
        assert "reward" in evaluation.cause
        assert evaluation.fitness is None
    after = [layer.parameters["weight"] for layer in evaluator.context.pool.layers]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_an_episode_that_never_ends_is_cut_off(walk):
    """Broken: a lane would be busy for ever."""
    done = finish(evaluator_on(walk(goal=10**9, fields={"max_episode_steps": 9, "frame_skip": 4})))
    assert [evaluation.examples for evaluation in done] == [2 * 9 * 4] * 3


class Counter(VectorEnv):
    """Counts up to a number that each seed draws; all lanes of it reset together only."""

    def __init__(self, lanes):
        self.num_envs = lanes
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
        self.single_observation_space = Box(-np.inf, np.inf, (1,), np.float32)
        self.single_action_space = Discrete(2)

    def _seen(self):
        return np.full((self.num_envs, 1), self.count, dtype=np.float32)

    def reset(self, *, seed=None, options=None):
        self.count, self.last = 0.0, np.random.default_rng(seed).integers(3, 9)
        return self._seen(), {}

    def step(self, actions):
        self.count += 1
        over = np.full(self.num_envs, self.count >= self.last)
        return self._seen(), np.ones(self.num_envs), over, np.zeros_like(over), {}


class Counting(EnvironmentTask):
    """The task of ``Counter``."""

    def make(self, num_envs, seeds, *, render=False):
        return Counter(num_envs)


def test_lanes_that_cannot_be_reset_alone_get_an_environment_each():
    """Broken: an episode's seed would say nothing of it, or one lane's end would reset others."""
    episodes = Episodes(Counting("counting", (1,), 2), 3)
    episodes.reset(ALL, [0, 1, 2])
    lengths = [int(np.random.default_rng(seed).integers(3, 9)) for seed in (0, 1, 2)]
    assert len(set(lengths)) > 1
    for count in range(1, min(lengths) + 1):
        step = episodes.step(np.zeros(3, dtype=np.int64))
        assert step.ended.tolist() == [count == length for length in lengths]
    episodes.reset(step.ended, [0, 1, 2])
    expected = [0 if over else min(lengths) for over in step.ended]
    assert episodes.observations[:, 0].tolist() == expected
    episodes.close()


@pytest.mark.parametrize("mode", AutoresetMode, ids=lambda mode: mode.name)
def test_every_way_to_reset_is_the_same(walk, mode):
    """Broken: lanes would see the first observation of the next episode as the last of theirs."""
    task = walk(mode, goal=3, cut=7)
    episodes = Episodes(task, 3)
    alone = [task.make(1, [0]).envs[0] for _ in range(3)]
    episodes.reset(ALL, [5, 6, 7])
    for env, seed in zip(alone, (5, 6, 7), strict=True):
        env.reset(seed=seed)
    rng = np.random.default_rng(0)
    for number in range(60):
        actions = rng.integers(2, size=3)
        step = episodes.step(actions)
        expected = [env.step(action) for env, action in zip(alone, actions, strict=True)]
        for lane, (seen, reward, terminated, truncated, _) in enumerate(expected):
            assert np.array_equal(step.observations[lane], seen)
            assert step.rewards[lane] == reward
            cut = truncated and not terminated
            assert (step.terminated[lane], step.truncated[lane]) == (terminated, cut)
        episodes.reset(step.ended, [100 + number] * 3)
        for lane in np.flatnonzero(step.ended):
            seen, _ = alone[lane].reset(seed=100 + number)
            assert np.array_equal(episodes.observations[lane], seen)
    episodes.close()


def test_an_environment_that_does_not_say_when_it_resets_is_refused(walk, monkeypatch):
    """Broken: transitions would run across the ends of episodes."""
    monkeypatch.setattr(Counter, "metadata", {}, raising=False)
    task = Counting("counting", (1,), 2)
    monkeypatch.setattr(Counting, "make", lambda *_, **__: _without_mode())
    with pytest.raises(TaskError, match="autoreset_mode"):
        Episodes(task, 1)


def _without_mode():
    env = Counter(1)
    env.metadata = {}
    return env


def test_scores_are_mean_returns(walk):
    """Broken: reports would show another number than the mean raw return."""
    task, learner = walk(goal=3, cut=20), A3C(score_episodes=5, num_envs=2)
    chance = learner.random_baseline(task, Streams(0, 0))
    assert chance == learner.random_baseline(task, Streams(0, 0))
    assert chance != learner.random_baseline(task, Streams(1, 0))
    pool = ModulePool([Linear(units=2)], 1, (3,))
    head = pool.head(3, torch.Generator())
    head.readout.parameters["weight"].zero_()
    head.readout.parameters["bias"].copy_(torch.tensor([[0.0, 200.0, 0.0]]))
    network = pool.network(((0,),), head)
    assert isinstance(network, PathNetwork)
    scores = learner.score(network, task, Streams(0, 0))
    assert scores == {"mean_return": pytest.approx(2.5 - 0.2)}
    seen = torch.zeros(4, 3)
    actions = learner.actions(network, seen, torch.Generator())
    assert actions.tolist() == [1] * 4


def test_engines_that_lease_are_refused():
    """Broken: what is learned would be lost, and nobody would know."""
    data = {
        "stages": [{"task": "digits", "learner": "a3c"}],
        "engine": "processes",
        "pool": {"layers": [{"kind": "linear"}]},
    }
    with pytest.raises(config.ConfigError) as refused:
        resolve(config.validate(data), Registry())
    (problem,) = [p for p in refused.value.problems if "learner" in p.place]
    assert "learner.workers" in str(problem)


@pytest.mark.parametrize(("workers", "deterministic"), [(1, True), (3, False)])
def test_a_plan_says_whether_it_repeats(workers, deterministic):
    """Broken: the summary of a run would promise what asynchronous workers cannot keep."""
    learner = {"name": "a3c", "workers": workers}
    data = {"stages": [{"task": "digits", "learner": learner}]}
    assert resolve(config.validate(data), Registry()).deterministic is deterministic


def test_gymnasium_is_imported_when_it_is_needed():
    """Broken: every command would wait for libraries that it does not use."""
    import subprocess
    import sys

    code = "import sys, pathnet_evo_a3c.learner; assert 'gymnasium' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert gym.__name__ == "gymnasium"
