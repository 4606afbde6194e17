"""Actions that are vectors: their probabilities, what is learned, and how lanes come back."""

import copy

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv

from pathnet_evo.core.kinds import Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo.interfaces.learners import LearningContext
from pathnet_evo.interfaces.tasks import EnvironmentTask
from pathnet_evo.testing import LearnerContract
from pathnet_evo_a3c.learner import A3C
from pathnet_evo_a3c.policy import Gaussian
from pathnet_evo_a3c.ppo import PPO

TARGET = np.array([0.6, -0.4])


class Aim(VectorEnv):
    """Vectors are better the nearer they are to a target; an episode lasts five steps."""

    metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP, "reset_mask": True}  # noqa: RUF012

    def __init__(self, lanes):
        self.num_envs = lanes
        self.single_observation_space = Box(-1, 1, (3,), np.float32)
        self.single_action_space = Box(-np.inf, np.inf, (2,), np.float32)
        self.generators = [np.random.default_rng(0) for _ in range(lanes)]
        self.seen, self.steps = np.zeros((lanes, 3), np.float32), np.zeros(lanes, int)

    def reset(self, *, seed=None, options=None):
        mask = (options or {}).get("reset_mask", np.ones(self.num_envs, bool))
        seeds = np.broadcast_to(0 if seed is None else np.ravel(seed), self.num_envs)
        for lane in np.flatnonzero(mask):
            self.generators[lane] = np.random.default_rng(seeds[lane])
            self.steps[lane] = 0
            self.seen[lane] = self.generators[lane].uniform(-1, 1, 3)
        return self.seen.copy(), {}

    def step(self, actions):
        assert actions.shape == (self.num_envs, 2)
        self.steps += 1
        # What is seen next depends on what was done, so that a replay must play the same.
        for lane, generator in enumerate(self.generators):
            self.seen[lane] = np.tanh(generator.uniform(-1, 1, 3) + actions[lane].sum())
        rewards = -np.square(actions - TARGET).sum(1)
        ended = self.steps >= 5
        return self.seen.copy(), rewards, ended, ended & False, {}


class AimTask(EnvironmentTask):
    """As many as wanted."""

    def make(self, num_envs, seeds, *, render=False):
        return Aim(num_envs)


def task():
    return AimTask("aim", (3,), 2, continuous=True)


def stage():
    streams = Streams(0, 0)
    pool = ModulePool([Linear(units=8)], 4, (3,))
    pool.initialise(lambda layer: streams.torch("init", layer))
    head = pool.head(5, streams.torch("readout"))
    return LearningContext(pool, head, task(), torch.device("cpu"), streams, False)


def learn(evaluator, rounds, first=0):
    done = []
    for _ in range(rounds):
        while evaluator.free:
            genes = (((first * 2) % 4, (first + 1) % 4),)
            evaluator.submit(Candidate(first, first, genes, None, first))
            first += 1
        done += evaluator.advance()
    return [(e.candidate, e.fitness, e.cause, e.examples) for e in done], first


class TestContractOfA3C(LearnerContract):
    def learner(self):
        return A3C(num_envs=3, rollout_length=4, episodes=2, score_episodes=3)

    def task(self):
        return task()


class TestContractOfPPO(LearnerContract):
    def learner(self):
        return PPO(num_envs=3, rollout_length=4, episodes=2, score_episodes=3, greedy=True)

    def task(self):
        return task()


def test_densities_and_entropies_are_those_of_torch():
    """Gradients would be of another distribution than the one that actions come from."""
    generator = torch.Generator().manual_seed(0)
    outputs, actions = torch.randn(4, 6, generator=generator), torch.randn(4, 3)
    policy = Gaussian(3)
    normal = torch.distributions.Normal(outputs[:, :3], outputs[:, 3:].exp())
    density, entropy = policy.measure(outputs, actions)
    torch.testing.assert_close(density, normal.log_prob(actions).sum(1))
    torch.testing.assert_close(entropy, normal.entropy().sum(1))
    many = outputs[:1].expand(20_000, -1)
    chosen = policy.choose(many, policy.draw(len(many), generator=generator))
    torch.testing.assert_close(chosen.mean(0), outputs[0, :3], atol=0.08, rtol=0)
    torch.testing.assert_close(chosen.std(0), outputs[0, 3:].exp(), atol=0.08, rtol=0.05)
    assert torch.equal(policy.best(outputs), outputs[:, :3])


@pytest.mark.parametrize("learner", [A3C, PPO])
def test_aiming_is_learned(learner):
    """Vectors would be drawn, but never get better."""
    context = stage()
    settings = learner(
        num_envs=8, rollout_length=10, episodes=4, learning_rate=0.01, clip_rewards=False
    )
    done, _ = learn(settings.evaluator(context), 120)
    fitnesses = [fitness for _, fitness, *_ in done]
    assert np.mean(fitnesses[-20:]) > 0.6 * np.mean(fitnesses[:20]), "returns are negative"
    network = context.pool.network(((0, 1),), context.head)
    generator = torch.Generator().manual_seed(1)
    greedy = settings.model_copy(update={"greedy": True})
    chosen = greedy.actions_in(context.task, network, torch.zeros(1, 3), generator)
    torch.testing.assert_close(chosen[0].numpy(), TARGET.astype(np.float32), atol=0.4, rtol=0)


@pytest.mark.parametrize("rounds", [1, 4])
def test_restored_lanes_go_on_bit_for_bit(rounds):
    """A lane would be brought back by rounded actions, and its evaluation fail."""
    settings = A3C(num_envs=3, rollout_length=3, episodes=2)
    context = stage()
    evaluator = settings.evaluator(context)
    _, first = learn(evaluator, rounds)
    kept, parts = copy.deepcopy(evaluator.state()), copy.deepcopy((context.pool, context.head))
    expected = learn(evaluator, 5, first)
    assert all(cause is None for _, _, cause, _ in expected[0])
    again = LearningContext(*parts, context.task, context.device, context.streams, False)
    restored = settings.evaluator(again)
    restored.restore(kept)
    assert learn(restored, 5, first) == expected
