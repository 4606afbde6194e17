"""PPO, and what it shares with A3C: advantages, initial readouts, evaluations in frames."""

import copy
import math

import pytest
import torch
from pydantic import ValidationError

from pathnet_evo.core.kinds import Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.budget import Budget
from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo.interfaces.learners import LearningContext
from pathnet_evo.interfaces.tasks import TaskError
from pathnet_evo_a3c.learner import A3C
from pathnet_evo_a3c.objective import clipped_losses, normalised, returns
from pathnet_evo_a3c.policy import Categorical
from pathnet_evo_a3c.ppo import PPO

GENES = [((0, 2), (1, 1)), ((1, 2), (0, 4)), ((2, 0), (3, 1))]


def stage(task):
    streams = Streams(4, 0)
    pool = ModulePool([Linear(units=5), Linear(units=4)], 5, (3,))
    pool.initialise(lambda layer: streams.torch("init", layer))
    head = pool.head(3, streams.torch("readout"))
    return LearningContext(pool, head, task, torch.device("cpu"), streams, True)


def weights(context):
    return [p for s in context.pool.stacks(context.head) for p in s.parameters.values()]


def learn(evaluator, rounds, first=0):
    done = []
    for _ in range(rounds):
        while evaluator.free:
            evaluator.submit(Candidate(first, first, GENES[first % 3], None, first))
            first += 1
        done += evaluator.advance()
    return [(e.candidate, e.fitness, e.cause, e.examples) for e in done], first


def test_one_pass_is_an_update_of_a3c(walk):
    """The objective, its advantages or its gradient would be others than the method's."""
    same = {"num_envs": 3, "rollout_length": 7, "episodes": 2, "learning_rate": 0.01}
    found = []
    for learner in (
        A3C(**same),
        PPO(**same, epochs=1, n_batches=1, gae_lambda=1.0, normalise_advantages=False),
    ):
        context = stage(walk(goal=2, cut=5, fields={"scale": torch.tensor(0.7)}))
        before = [p.clone() for p in weights(context)]
        learn(learner.evaluator(context), 1)
        found.append([p - b for p, b in zip(weights(context), before, strict=True)])
    assert any(change.abs().max() > 1e-3 for change in found[0])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


def test_clipped_objective():
    """A policy would run away from the one that played, or gains within the range be lost."""
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(2, 3, 5, generator=generator)
    actions = torch.randint(4, (2, 3), generator=generator)
    worth, gains, before = torch.randn(3, 2, 3, generator=generator)
    live = torch.tensor([[True, True, False], [True, True, True]])
    found = clipped_losses(
        Categorical(4), outputs, actions, worth, live, 0.1, 0.5, gains, before - 1.5, 0.2
    )
    for lane in range(2):
        total = 0.0
        for t in range(3):
            if not live[lane, t]:
                continue
            *logits, value = outputs[lane, t].tolist()
            log_sum = math.log(sum(math.exp(x) for x in logits))
            logs = [x - log_sum for x in logits]
            ratio = math.exp(logs[actions[lane, t]] - (float(before[lane, t]) - 1.5))
            gain = float(gains[lane, t])
            total -= min(ratio * gain, max(min(ratio, 1.2), 0.8) * gain)
            total += 0.1 * sum(math.exp(x) * x for x in logs)
            total += 0.5 * (float(worth[lane, t]) - value) ** 2
        assert float(found[lane]) == pytest.approx(total / 3, rel=1e-5)


@pytest.mark.parametrize("gae_lambda", [0.0, 0.7, 1.0])
def test_generalised_advantages(gae_lambda):
    """Advantages would not be sums of discounted temporal differences (Schulman et al. 2016)."""
    generator = torch.Generator().manual_seed(1)
    rewards, values, after = torch.randn(3, 4, 9, generator=generator)
    last = torch.randn(4, generator=generator)
    ended = torch.rand(4, 9, generator=generator) < 0.3
    found = returns(rewards, ended, after, last, 0.9, values, gae_lambda) - values
    for lane in range(4):
        for start in range(9):
            total, factor = 0.0, 1.0
            for t in range(start, 9):
                following = last[lane] if t == 8 else values[lane, t + 1]
                following = after[lane, t] if ended[lane, t] else following
                total += factor * (rewards[lane, t] + 0.9 * following - values[lane, t])
                factor *= 0.9 * gae_lambda
                if ended[lane, t]:
                    break
            torch.testing.assert_close(found[lane, start], total, rtol=1e-4, atol=1e-5)


def test_normalised_advantages():
    """Steps of idle environments, or of one that broke, would shift all the others."""
    advantages = torch.tensor([[1.0, 4.0, 100.0], [3.0, 8.0, math.nan]])
    live = torch.tensor([[True, True, False], [True, True, True]])
    found = normalised(advantages, live)[live][:4]
    torch.testing.assert_close(found, (torch.tensor([1.0, 4, 3, 8]) - 4) / (26 / 3) ** 0.5)


@pytest.mark.parametrize("learner", [A3C, PPO])
def test_threads_change_nothing(walk, learner):
    """How many cores a machine has would change what is learned."""
    options = {"normalise_advantages": True, "gae_lambda": 0.9, "num_envs": 3, "episodes": 1}
    found = []
    for threads in (1, 3):
        context = stage(walk(goal=3, cut=9))
        evaluator = learner(rollout_length=6, threads=threads, **options).evaluator(context)
        found.append((learn(evaluator, 5), weights(context)))
        evaluator.close()
    assert found[0][0] == found[1][0]
    assert all(torch.equal(a, b) for a, b in zip(found[0][1], found[1][1], strict=True))


def test_restored_lanes_go_on_bit_for_bit(walk):
    """A run that was killed and resumed would be another one."""
    settings = PPO(num_envs=3, rollout_length=6, episodes=2)
    context = stage(walk(goal=3, cut=9))
    evaluator = settings.evaluator(context)
    _, first = learn(evaluator, 3)
    kept, parts = copy.deepcopy(evaluator.state()), copy.deepcopy((context.pool, context.head))
    expected = learn(evaluator, 4, first)
    again = LearningContext(*parts, context.task, context.device, context.streams, True)
    restored = settings.evaluator(again)
    restored.restore(kept)
    assert learn(restored, 4, first) == expected
    assert all(torch.equal(a, b) for a, b in zip(weights(again), weights(context), strict=True))


@pytest.mark.parametrize("outputs", [3, 7])
def test_an_orthogonal_readout(walk, outputs):
    """Initial actions would not be about equally probable, or the value would be near 0."""
    pool = ModulePool([Linear(units=9)], 2, (3,))
    task = walk(fields={})
    object.__setattr__(task, "n_actions", outputs - 1)
    learner = A3C(initial_readout="orthogonal", readout_scale=0.01)
    drawn = learner.readout(pool, task, torch.Generator().manual_seed(3)).parameters
    (weight,), (bias,) = drawn["weight"], drawn["bias"]
    products = weight[:-1] @ weight[:-1].T
    torch.testing.assert_close(products, 1e-4 * torch.eye(outputs - 1), atol=1e-8, rtol=1e-3)
    assert float(weight[-1].norm()) == pytest.approx(1, rel=1e-5)
    assert not bias.any()


def test_evaluations_in_frames(walk):
    """A path that dies early would have its fitness sooner than one that lives."""
    context = stage(walk(goal=3, cut=9, fields={"frame_skip": 2}))
    evaluator = A3C(num_envs=3, rollout_length=4, evaluation_frames=30).evaluator(context)
    done, episodes = [], []
    while len(done) < 6:
        ran, _ = learn(evaluator, 1, len(done) + 10)
        done += ran
        episodes += evaluator.take_episodes()
    for candidate, fitness, cause, frames in done:
        own = [e for e in episodes if e.candidate == candidate.id]
        if len([d for d in done if d[0].id == candidate.id]) > 1:
            continue
        assert cause is None
        assert sum(e.frames for e in own) == frames
        assert frames - own[-1].frames < 30 <= frames
        assert fitness == pytest.approx(sum(e.score for e in own) / len(own))


def test_an_evaluation_longer_than_its_stage_is_refused(walk):
    """A stage would end without any path that has a fitness."""
    learner = PPO(evaluation_frames=5000)
    learner.check_budget(walk(), Budget(frames=5000))
    learner.check_budget(walk(), Budget(evaluations=3))
    with pytest.raises(TaskError, match=r"evaluation_frames is 5,000, but the stage has 4,999"):
        learner.check_budget(walk(), Budget(frames=4999))
    with pytest.raises(ValidationError):
        PPO(clip_range=0)
