"""Lanes are brought back, and go on as if nothing had happened."""

import copy

import pytest
import torch
from gymnasium.vector import AutoresetMode

from pathnet_evo.core.kinds import Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo.interfaces.learners import LearningContext
from pathnet_evo.trial.loop import evolve
from pathnet_evo_a3c.learner import A3C

pytestmark = pytest.mark.slow

LEARNER = A3C(num_envs=3, rollout_length=4, episodes=2, score_episodes=2)


def stage(task, seed=0):
    """A pool and a context."""
    streams = Streams(seed, 0)
    pool = ModulePool([Linear(units=6)] * 2, 5, task.input_shape)
    pool.initialise(lambda layer: streams.torch("init", layer))
    head = pool.head(task.n_actions + 1, streams.torch("readout"))
    return LearningContext(pool, head, task, torch.device("cpu"), streams, False)


def candidates(n, first=0):
    """Some candidates."""
    rng = Streams(3).python("genes", first)
    genes = [tuple(tuple(rng.randrange(5) for _ in range(2)) for _ in range(2)) for _ in range(n)]
    return [Candidate(first + i, i, rows, None, i) for i, rows in enumerate(genes)]


def go_on(evaluator, waiting, rounds):
    """Advance, with new candidates as lanes are idle; what came back and was played."""
    done, played = [], []
    for _ in range(rounds):
        while evaluator.free and waiting:
            evaluator.submit(waiting.pop(0))
        done += evaluator.advance()
        played += evaluator.take_episodes()
    return [(e.candidate, e.fitness, e.cause, e.examples) for e in done], played


@pytest.mark.parametrize("rounds", [0, 1, 4, 9])
@pytest.mark.parametrize("mode", AutoresetMode, ids=lambda mode: mode.name)
def test_restored_lanes_go_on_bit_for_bit(walk, mode, rounds):
    """Broken: a run that was killed and resumed would be another one."""
    task = walk(mode, goal=3, cut=11)
    context, waiting = stage(task), candidates(12)
    evaluator = LEARNER.evaluator(context)
    go_on(evaluator, waiting, rounds)
    kept = copy.deepcopy(evaluator.state())
    pool, head = copy.deepcopy((context.pool, context.head))
    expected = go_on(evaluator, list(waiting), 8)
    again = LearningContext(pool, head, task, context.device, context.streams, False)
    restored = LEARNER.evaluator(again)
    restored.restore(kept)
    assert restored.used == kept["frames"]
    assert go_on(restored, list(waiting), 8) == expected
    for ours, theirs in zip(pool.stacks(head), context.pool.stacks(context.head), strict=True):
        for name in ours.parameters:
            assert torch.equal(ours.parameters[name], theirs.parameters[name])
            if ours.statistics:
                assert torch.equal(ours.statistics[name], theirs.statistics[name])


def test_a_lane_that_does_not_come_back_has_failed(walk):
    """Broken: an evaluation would go on in another episode than the one it was in."""
    evaluator = LEARNER.evaluator(stage(walk(goal=50)))
    for candidate in candidates(2):
        evaluator.submit(candidate)
    evaluator.advance()
    kept = evaluator.state()
    assert kept["lanes"][2] is None
    kept["lanes"][1]["seed"] += 1
    restored = LEARNER.evaluator(stage(walk(goal=50)))
    restored.restore(kept)
    (evaluation,) = restored.advance()
    assert evaluation.candidate == candidates(2)[1]
    assert "brought back" in evaluation.cause
    assert restored.free == 2


def test_the_same_seed_is_the_same_lineage(walk):
    """Broken: nobody could repeat a run."""
    from pathnet_evo.strategies.asynchronous_tournament import AsynchronousTournament

    seen = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        context = stage(walk(goal=3, cut=9), seed=5)
        evaluator = LEARNER.evaluator(context)
        shape, rng = context.pool.shape(2), context.streams.python("genotype")
        strategy = AsynchronousTournament(shape, rng, population=5)
        heard = []
        evolve(strategy, evaluator, lambda e=evaluator: e.used > 400, heard.append)
        lineage = [(e.candidate, e.fitness, e.examples) for e in heard]
        seen.append((lineage, [layer.parameters["weight"] for layer in context.pool.layers]))
    torch.set_num_threads(1)
    assert len(seen[0][0]) > 10
    assert seen[0][0] == seen[1][0]
    assert all(torch.equal(a, b) for a, b in zip(seen[0][1], seen[1][1], strict=True))
