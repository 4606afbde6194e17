"""Steps of an episode's opening, which the environment plays by itself, are not the learner's."""

import copy

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv

from pathnet_evo.core.kinds import Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo.interfaces.learners import LearningContext
from pathnet_evo.interfaces.tasks import EnvironmentTask, TaskError
from pathnet_evo.running.loading import RunError
from pathnet_evo.running.playing import Player
from pathnet_evo_a3c.episodes import Episodes
from pathnet_evo_a3c.learner import A3C

LENGTH = 4
"""Steps of an episode after its opening of 0 to 6 steps."""


class Opened(VectorEnv):
    """Observations drawn from a lane's generator; a reward of 1 for action 1.

    Each step of an opening has a reward of its own on top.
    """

    bonus = 100.0
    metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP, "reset_mask": True}  # noqa: RUF012

    def __init__(self, lanes):
        self.num_envs = lanes
        self.single_observation_space = Box(0, 1, (3,), np.float32)
        self.single_action_space = Discrete(2)
        self.generators = [np.random.default_rng(0) for _ in range(lanes)]
        self.seen = np.zeros((lanes, 3), np.float32)
        self.left, self.steps = np.zeros((2, lanes), int)

    def reset(self, *, seed, options=None):
        mask = (options or {}).get("reset_mask", np.ones(self.num_envs, bool))
        for lane in np.flatnonzero(mask):
            self.generators[lane] = np.random.default_rng(np.ravel(seed)[lane])
            self.left[lane], self.steps[lane] = self.generators[lane].integers(7), 0
            self.seen[lane] = self.generators[lane].random(3)
        return self.seen.copy(), {"opening": self.left > 0}

    def step(self, actions):
        opening = self.left > 0
        self.left -= opening
        self.steps += ~opening
        for lane, generator in enumerate(self.generators):
            self.seen[lane] = generator.random(3)
        rewards = (np.array(actions) == 1) + np.where(opening, self.bonus, 0)
        ended = self.steps >= LENGTH
        return (self.seen.copy(), rewards, ended, ended & False, {"opening": self.left > 0})


class OpenedTask(EnvironmentTask):
    """As many as wanted."""

    def make(self, num_envs, seeds, *, render=False):
        return Opened(num_envs)


def stage():
    streams = Streams(0, 0)
    pool = ModulePool([Linear(units=5)], 4, (3,))
    pool.initialise(lambda layer: streams.torch("init", layer))
    head = pool.head(3, streams.torch("readout"))
    task = OpenedTask("opened", (3,), 2, frame_skip=4)
    return LearningContext(pool, head, task, torch.device("cpu"), streams, False)


def learn(evaluator, rounds, first=0):
    done, episodes = [], []
    for _ in range(rounds):
        while evaluator.free:
            genes = (((first * 2) % 4, (first + 1) % 4),)
            evaluator.submit(Candidate(first, first, genes, None, first))
            first += 1
        done += evaluator.advance()
        episodes += evaluator.take_episodes()
    return [(e.candidate, e.fitness, e.cause, e.examples) for e in done], episodes, first


def weights(context):
    return [p for s in context.pool.stacks(context.head) for p in s.parameters.values()]


@pytest.mark.parametrize("rollout_length", [2, 5])
def test_openings_count_nothing(rollout_length):
    """No-ops would be scored, counted as frames, or fail a lane that only waited in a rollout."""
    evaluator = A3C(num_envs=3, rollout_length=rollout_length, episodes=2).evaluator(stage())
    done, episodes, _ = learn(evaluator, 30)
    assert len(done) > 5
    for _, fitness, cause, frames in done:
        assert cause is None
        assert 0 <= fitness <= LENGTH, "the rewards of an opening are the environment's own"
        assert frames == 2 * LENGTH * 4
    assert {episode.frames for episode in episodes} == {LENGTH * 4}


def always(action, context):
    """A network that is sure of an action."""
    context.head.readout.parameters["weight"].zero_()
    bias = torch.zeros(1, 3)
    bias[0, action] = 200
    context.head.readout.parameters["bias"].copy_(bias)
    return context.pool.network(((0,),), context.head)


def test_openings_are_not_scored():
    """Scores, the random baseline and what is played would have rewards of nobody's actions."""
    context, learner = stage(), A3C(num_envs=3, score_episodes=12)
    network = always(1, context)
    assert learner.score(network, context.task, context.streams) == {"mean_return": LENGTH}
    assert 0 <= learner.random_baseline(context.task, context.streams) <= LENGTH
    played = Player("opened", network, context.task, learner, context.streams, None)
    steps = []
    scores = list(played.play(6, lambda episode, step, score: steps.append(step)))
    assert scores == [LENGTH] * 6
    assert 0 in steps, "an opening was played"
    assert max(steps) == LENGTH


def test_a_failure_in_an_opening_is_not_overlooked(monkeypatch):
    """An environment that died before its first step would score 0, or be begun for ever."""
    monkeypatch.setattr(Opened, "bonus", np.nan)
    context, learner = stage(), A3C(num_envs=3, episodes=4, score_episodes=12, max_restarts=1)
    network = always(1, context)
    with pytest.raises(TaskError, match="gave a reward of nan"):
        learner.score(network, context.task, context.streams)
    played = Player("opened", network, context.task, learner, context.streams, None)
    with pytest.raises(RunError, match=r"^stage 'opened': the environment gave a reward of nan$"):
        list(played.play(12))
    done, *_ = learn(learner.evaluator(stage()), 6)
    assert {cause for *_, cause, _ in done if cause} == {"the environment gave a reward of nan"}


def test_a_time_limit_counts_from_the_end_of_the_opening():
    """Episodes with a long opening would be cut off earlier."""
    episodes = Episodes(OpenedTask("opened", (3,), 2, max_episode_steps=2), 3)
    opening = np.zeros(3)
    for _ in range(20):
        opening += episodes.opening
        before = episodes.steps.copy()
        step = episodes.step(np.zeros(3, dtype=np.int64))
        assert np.array_equal(step.truncated, (before == 1) & (episodes.steps == 2))
        episodes.reset(step.ended, [5, 6, 7])
    assert opening.any()


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_restored_lanes_go_on_bit_for_bit(rounds):
    """A lane would come back at another step of its opening or episode."""
    settings = A3C(num_envs=3, rollout_length=3, episodes=2)
    context = stage()
    evaluator = settings.evaluator(context)
    *_, first = learn(evaluator, rounds)
    kept, parts = copy.deepcopy(evaluator.state()), copy.deepcopy((context.pool, context.head))
    expected = learn(evaluator, 6, first)
    again = LearningContext(*parts, context.task, context.device, context.streams, False)
    restored = settings.evaluator(again)
    restored.restore(kept)
    assert learn(restored, 6, first) == expected
    assert all(torch.equal(a, b) for a, b in zip(weights(again), weights(context), strict=True))


def test_threads_change_nothing():
    """Lanes that open would depend on which others are stepped with them."""
    found = []
    for threads in (1, 3):
        context = stage()
        evaluator = A3C(num_envs=3, rollout_length=3, episodes=1, threads=threads).evaluator(
            context
        )
        found.append((learn(evaluator, 10), weights(context)))
        evaluator.close()
    assert found[0][0] == found[1][0]
    assert all(torch.equal(a, b) for a, b in zip(found[0][1], found[1][1], strict=True))
