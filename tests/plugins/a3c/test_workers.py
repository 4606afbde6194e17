"""Worker processes that train one pool at the same time, and their accidents."""

import time

import pytest
import torch

from pathnet_evo.core.kinds import Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo.interfaces.learners import LearningContext
from pathnet_evo_a3c.learner import A3C

pytestmark = pytest.mark.slow

SETTINGS = {"workers": 2, "num_envs": 2, "rollout_length": 4, "episodes": 2, "score_episodes": 2}
FROZEN = ((1,), (3,))


def stage(task):
    """A pool with frozen modules, and a context."""
    streams = Streams(0, 0)
    pool = ModulePool([Linear(units=6)] * 2, 5, task.input_shape)
    pool.initialise(lambda layer: streams.torch("init", layer))
    pool.freeze(FROZEN)
    head = pool.head(task.n_actions + 1, streams.torch("readout"))
    return LearningContext(pool, head, task, torch.device("cpu"), streams, True)


def run_all(evaluator, n, seconds=120):
    """Submit as lanes are idle until all came back."""
    waiting = [Candidate(i, i, ((0, 1), (2, 2)), None, i) for i in range(n)]
    flying, done, end = set(), [], time.monotonic() + seconds
    while waiting or flying:
        assert time.monotonic() < end, f"lost: {flying}"
        for candidate in waiting[: evaluator.free]:
            evaluator.submit(candidate)
            flying.add(candidate.id)
            waiting.remove(candidate)
        for evaluation in evaluator.advance():
            flying.remove(evaluation.candidate.id)
            done.append(evaluation)
    return done


@pytest.fixture
def evaluator_on():
    """Makes evaluators, and closes them."""
    made = []

    def make(context, **settings):
        made.append(A3C(**{**SETTINGS, **settings}).evaluator(context))
        return made[-1]

    yield make
    for evaluator in made:
        evaluator.close()


def test_workers_train_one_pool(walk, evaluator_on):
    """Broken: what workers learn would be lost, or would disturb what they do not use."""
    context = stage(walk(goal=3))
    weights = [layer.parameters["weight"].clone() for layer in context.pool.layers]
    evaluator = evaluator_on(context)
    assert evaluator.free == 4
    done = run_all(evaluator, 12)
    assert not any(evaluation.failed for evaluation in done)
    played = evaluator.take_episodes()
    assert {episode.candidate for episode in played} == set(range(12))
    assert evaluator.used >= sum(evaluation.examples for evaluation in done)
    for candidate in (20, 21):
        evaluator.submit(Candidate(candidate, 0, ((0,), (2,)), None, 0))
    evaluator.advance()
    evaluator.cancel()
    kept = [layer.parameters["weight"].clone() for layer in context.pool.layers]
    assert evaluator.free == 4
    time.sleep(0.3)
    for layer, before, rested, used in zip(context.pool.layers, weights, kept, (0, 2), strict=True):
        now = layer.parameters["weight"]
        assert torch.equal(now, rested), "the pool is not at rest after cancel()"
        others = [m for m in range(5) if m != used]
        assert not torch.equal(now[used], before[used])
        assert torch.equal(now[others], before[others])
    assert not A3C(workers=2).deterministic
    assert A3C().deterministic


def test_resumed_frames_stay_counted(walk, evaluator_on):
    """Broken: the learning rate would begin again from where the stage began."""
    evaluator = evaluator_on(stage(walk(goal=3)))
    end = time.monotonic() + 120
    while not all(player.ready for player in evaluator.workers.members):
        assert time.monotonic() < end
        evaluator._hear()
    evaluator.restore({"frames": 10**6, "candidates": []})
    run_all(evaluator, 8)
    assert evaluator.used > 10**6
    assert int(evaluator.clock.sum()) == evaluator.used


@pytest.mark.parametrize(
    ("accident", "settings", "told"),
    [
        ("die", {}, "was killed by signal 9"),
        ("hang", {"timeout": 8}, "took longer than 8 s"),
    ],
)
def test_a_worker_that_is_lost_is_replaced(walk, evaluator_on, tmp_path, accident, settings, told):
    """Broken: a run would wait for ever, or end, for one process of many."""
    task = walk(goal=3, accident=accident, once=str(tmp_path / "once"))
    done = run_all(evaluator_on(stage(task), **settings), 8)
    failed = [evaluation for evaluation in done if evaluation.failed]
    assert 1 <= len(failed) <= 2
    assert all(told in evaluation.cause for evaluation in failed)
    assert "worker" in failed[0].cause


def test_workers_are_not_replaced_for_ever(walk, evaluator_on):
    """Broken: a task that kills every worker would keep a machine busy for ever."""
    task = walk(goal=3, accident="die", at=1)
    done = run_all(evaluator_on(stage(task), max_restarts=1), 8)
    assert all(evaluation.failed for evaluation in done)
    assert "no worker is left after 1 were replaced" in done[-1].cause
