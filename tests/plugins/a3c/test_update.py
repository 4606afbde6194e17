"""A whole rollout and update against plain networks, plain environments and a loop over steps."""

import copy

import pytest
import torch
from gymnasium.vector import AutoresetMode

from pathnet_evo.core.kinds import Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo.interfaces.learners import LearningContext
from pathnet_evo_a3c.evaluator import A3CEvaluator
from pathnet_evo_a3c.learner import A3C
from pathnet_evo_a3c.playing import episode_seed

GENES = [((0, 2), (1, 1)), ((1, 2), (0, 4)), ((2, 0), (3, 1))]
FROZEN = ((2,), (4,))
SETTINGS = {
    "episodes": 5,
    "rollout_length": 7,
    "discount": 0.9,
    "learning_rate": 0.02,
    "schedule": "constant",
    "decay": 0.8,
    "epsilon": 0.01,
    "max_grad_norm": 0.05,
}


@pytest.fixture
def context(walk):
    """A pool of linear layers with frozen modules, and walks that end and are cut off."""
    task = walk(goal=2, cut=5, fields={"scale": torch.tensor(0.7), "shift": torch.tensor(0.1)})
    streams = Streams(4, 0)
    pool = ModulePool([Linear(units=5), Linear(units=4)], 5, (3,))
    pool.initialise(lambda layer: streams.torch("init", layer))
    pool.freeze(FROZEN)
    head = pool.head(3, streams.torch("readout"))
    return LearningContext(pool, head, task, torch.device("cpu"), streams, True)


class Loop:
    """One lane, played and learned step by step, from the actions that were taken."""

    def __init__(self, context, candidate, settings):
        self.context, self.candidate, self.settings = context, candidate, settings
        self.number, self.over = 0, False
        self.env = context.task.make(1, [0]).envs[0]
        self.observation = None

    def reset(self):
        seed = episode_seed(self.context.streams, "environment", self.candidate.id, self.number)
        self.observation, _ = self.env.reset(seed=seed)

    def seen(self):
        return (torch.from_numpy(self.observation) - 0.1) * 0.7

    def loss(self, network, actions):
        """The loss of a rollout; what comes after the last episode does not count."""
        if self.observation is None:
            self.reset()
        terms, segment = [], []
        for action in actions:
            if self.over:
                break
            before = self.seen()
            self.observation, reward, terminated, truncated, _ = self.env.step(int(action))
            segment.append((before, int(action), max(-1.0, min(1.0, reward))))
            if terminated or truncated:
                terms += self.close(network, segment, 0.0 if terminated else None)
                segment = []
                self.number += 1
                self.over = self.number == self.settings["episodes"]
                if not self.over:
                    self.reset()
        terms += self.close(network, segment, None)
        return sum(terms) / len(actions) if terms else None

    def close(self, network, segment, value):
        """The terms of some steps, from the last to the first, and the value of what follows."""
        if value is None:
            value = float(network(self.seen().unsqueeze(0))[0, -1].detach())
        terms = []
        for observation, action, reward in reversed(segment):
            value = reward + 0.9 * value
            output = network(observation.unsqueeze(0))[0]
            policy = torch.log_softmax(output[:-1], 0)
            advantage = value - output[-1]
            entropy = -(policy.exp() * policy).sum()
            terms.append(-policy[action] * advantage.detach() - 0.01 * entropy + 0.5 * advantage**2)
        return terms


@pytest.mark.parametrize("initial", [0.0, 1.0])
@pytest.mark.parametrize("divide", ["envs", "users"])
@pytest.mark.parametrize("mode", AutoresetMode, ids=lambda mode: mode.name)
def test_updates_are_those_of_a_loop(context, reference, mode, divide, initial):
    """Broken: what is learned is not what the method says.

    Four lanes, one of them idle: paths that overlap, ends and cuts within the rollout, evaluations
    that end within it, several updates with statistics that go on; every lane by itself with a
    plain network and autograd, its gradient cut by torch, and torch's RMSprop.
    """
    object.__setattr__(context.task, "mode", mode)
    settings = {"divide": divide, "initial_square": initial, **SETTINGS}
    evaluator = A3CEvaluator(A3C(num_envs=4, **settings), context)
    taken = []
    learn = evaluator._learn

    def spy(rollouts):
        taken.append(torch.cat([rollout.actions for rollout in rollouts]))
        learn(rollouts)

    evaluator._learn = spy
    pool, head = copy.deepcopy((context.pool, context.head))
    candidates = [Candidate(i + 7, i, genes, None, i) for i, genes in enumerate(GENES)]
    loops = [Loop(context, candidate, SETTINGS) for candidate in candidates]
    for candidate in candidates:
        evaluator.submit(candidate)
    tracked = [p.requires_grad_() for p in _modules(pool, head)]
    groups = [torch.optim.RMSprop([p], lr=0.02, alpha=0.8, eps=0.01) for p in tracked]
    for group, parameter in zip(groups, tracked, strict=True):
        square = torch.full_like(parameter, initial)
        group.state[parameter] = {"step": torch.tensor(0.0), "square_avg": square}
    done = []
    while len(done) < 3:
        done += evaluator.advance()
        sums = [torch.zeros_like(p) for p in tracked]
        users = [0] * len(tracked)
        for loop, actions in zip(loops, taken[-1], strict=False):
            path = pool.active(loop.candidate.genotype, True)
            network = reference.PlainNetwork(pool, path, head)
            loss = loop.loss(network, actions)
            if loss is None:
                continue
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.trainable(), 0.05)
            for place, parameter in _places(network, path, pool):
                sums[place] += parameter.grad
                users[place] += 1
        for group, parameter, total, n in zip(groups, tracked, sums, users, strict=True):
            if n:
                parameter.grad = total / (4 if divide == "envs" else n)
                group.step()
        _write_back(pool, head, tracked)
        for ours, theirs in zip(_modules(context.pool, context.head), tracked, strict=True):
            torch.testing.assert_close(ours, theirs.detach(), rtol=2e-3, atol=2e-5)
    assert len(taken) >= 3


def _modules(pool, head):
    """Copies of every parameter of every module, by itself."""
    stacks = pool.stacks(head)
    return [
        stack.parameters[name][m].detach().clone()
        for stack in stacks
        for m in range(len(stack))
        for name in ("weight", "bias")
    ]


def _write_back(pool, head, tracked):
    values = iter(tracked)
    for stack in pool.stacks(head):
        for m in range(len(stack)):
            for name in ("weight", "bias"):
                stack.parameters[name][m] = next(values).detach()


def _places(network, path, pool):
    """Each parameter of a plain network that may be trained, and its index among all."""
    offset = 0
    for modules, plains, n in zip(
        [*path, (0,)],
        [*network.layers, [network.readout]],
        [*(len(layer) for layer in pool.layers), 1],
        strict=True,
    ):
        for m, plain in zip(modules, plains, strict=True):
            if plain.weight.requires_grad:
                yield offset + 2 * m, plain.weight
                yield offset + 2 * m + 1, plain.bias
        offset += 2 * n


def test_statistics_rest_with_modules_that_nobody_uses(context):
    """Broken: modules would come back to statistics that decayed while nothing was learned."""
    evaluator = A3CEvaluator(A3C(num_envs=2, **SETTINGS), context)
    stacks = context.pool.layers
    for genes in (GENES[0], GENES[1]):
        evaluator.submit(Candidate(0, 0, genes, None, 0))
        while not evaluator.advance():
            pass
        if genes is GENES[0]:
            kept = [stack.statistics["weight"].clone() for stack in stacks]
            assert all(k[m].any() for k, m in zip(kept, (0, 1), strict=True))
    first, second = [stack.statistics["weight"] for stack in stacks]
    assert torch.equal(first[0], kept[0][0])
    assert torch.equal(second[1], kept[1][1])
    assert first[1].any()
    assert not first[[2, 3, 4]].any()
    assert not second[[2, 3, 4]].any()
