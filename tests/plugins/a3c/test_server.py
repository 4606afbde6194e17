"""Workers that share no memory with the trial: gradients travel, and weights that changed."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pathnet_evo.core.kinds import Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.budget import Budget
from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo.interfaces.learners import LearningContext
from pathnet_evo_a3c.learner import A3C
from pathnet_evo_a3c.server import ParameterServer

pytestmark = pytest.mark.slow

SETTINGS = {"num_envs": 2, "rollout_length": 4, "episodes": 2, "score_episodes": 2}


@pytest.fixture(scope="module")
def elsewhere():
    """A transport whose messages share nothing."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "workers"))
        import toy_workers

        yield toy_workers.ByValue()


def stage(task, transport=None):
    """A pool with frozen modules, and a context."""
    streams = Streams(0, 0)
    pool = ModulePool([Linear(units=6)] * 2, 5, task.input_shape)
    pool.initialise(lambda layer: streams.torch("init", layer))
    pool.freeze(((1,), (3,)))
    head = pool.head(task.n_actions + 1, streams.torch("readout"))
    device, budget = torch.device("cpu"), Budget(frames=2000)
    context = LearningContext(pool, head, task, device, streams, True, budget=budget)
    return replace(context, transport=transport)


def run_all(evaluator, n, seconds=120):
    """Submit as lanes are idle until all came back, in the order of a trial's loop."""
    waiting = [Candidate(i, i, ((i % 5, 1), (2, (2 * i) % 5)), None, i) for i in range(n)]
    flying, done, episodes, end = set(), [], [], time.monotonic() + seconds
    while waiting or flying:
        assert time.monotonic() < end, f"lost: {flying}"
        for candidate in waiting[: evaluator.free]:
            evaluator.submit(candidate)
            flying.add(candidate.id)
            waiting.remove(candidate)
        for evaluation in evaluator.advance():
            flying.remove(evaluation.candidate.id)
            done.append(evaluation)
        episodes += evaluator.take_episodes()
    return done, episodes


def told(done):
    """What must repeat of evaluations."""
    return [(e.candidate.id, e.fitness, e.cause, e.examples) for e in done]


def test_one_worker_learns_the_same_bits(walk, elsewhere):
    """Gradients would meet other modules, another learning rate, or weights of another time."""
    results = []
    for transport in (None, elsewhere):
        context = stage(walk(goal=3), transport)
        evaluator = A3C(**SETTINGS).evaluator(context)
        done, episodes = run_all(evaluator, 9)
        for candidate in (20, 21):
            evaluator.submit(Candidate(candidate, 0, ((0,), (2,)), None, 0))
        evaluator.cancel()
        more, later = run_all(evaluator, 3)
        evaluator.cancel()  # nothing is in flight
        last, latest = run_all(evaluator, 3)
        more, later = more + last, later + latest
        usage = evaluator.usage()
        evaluator.close()
        stacks = context.pool.stacks(context.head)
        kept = [v for s in stacks for part in (s.parameters, s.statistics) for v in part.values()]
        results.append((told(done + more), episodes + later, kept, evaluator.used))
    (done, episodes, kept, used), (others, theirs, weights, frames) = results
    assert done == others
    assert episodes == theirs
    assert used == frames
    assert all(map(torch.equal, kept, weights))
    assert usage["staleness"] == 0
    assert usage["bytes"] > 0


def test_candidates_travel_with_their_modules(walk, elsewhere, monkeypatch):
    """A worker would play a path with weights of another time, however stale."""
    evaluator = A3C(**SETTINGS).evaluator(stage(walk(goal=3), elsewhere))
    (player,) = evaluator.workers.members
    sent, send = [], player.link.send
    monkeypatch.setattr(player.link, "send", lambda orders: (sent.append(orders), send(orders)))
    first, second = (Candidate(i, i, ((i, 1), (2, i)), None, i) for i in range(2))
    with monkeypatch.context() as patch:
        patch.setattr(evaluator, "_hear", lambda: None)  # whatever it reports comes later
        evaluator.submit(first)
        evaluator.advance()
        evaluator.submit(second)
        evaluator.advance()
        assert [orders.candidates for orders in sent] == [(first,)]
    done, end = [], time.monotonic() + 120
    while len(done) < 2:
        assert time.monotonic() < end
        done += evaluator.advance()
    assert all(orders.changed is not None for orders in sent)
    assert [c for orders in sent for c in orders.candidates] == [first, second]
    evaluator.cancel()  # the worker says so as it begins to play again
    evaluator.submit(replace(first, id=2))
    while len(done) < 3:
        assert time.monotonic() < end
        done += evaluator.advance()
    assert len(sent) == evaluator.server.updates, "each rollout is ordered once"
    evaluator.close()


def test_two_workers_train_one_pool(walk, elsewhere):
    """What workers learn would be lost, or frozen modules would change."""
    context = stage(walk(goal=3), elsewhere)
    before = [
        {name: values.clone() for name, values in layer.parameters.items()}
        for layer in context.pool.layers
    ]
    evaluator = A3C(**SETTINGS, workers=2).evaluator(context)
    done, _ = run_all(evaluator, 16)
    assert not any(evaluation.failed for evaluation in done)
    assert evaluator.used == sum(e.examples for e in done)
    for layer, values, frozen, used in zip(
        context.pool.layers, before, (1, 3), (0, 2), strict=True
    ):
        for name, now in layer.parameters.items():
            assert torch.equal(now[frozen], values[name][frozen])
            assert not torch.equal(now[used], values[name][used])
    evaluator.close()


def test_modules_that_were_overwritten_meanwhile_stay(walk, elsewhere):
    """A gradient of the weights before would push a module that was just re-initialised."""
    context = stage(walk(goal=3), elsewhere)
    server = ParameterServer(A3C(**SETTINGS), context)
    _, seen = server.copied()
    layer = context.pool.layers[0]
    modules = torch.tensor([0, 2])
    gradients = {name: torch.ones_like(v[modules]) for name, v in layer.parameters.items()}
    context.pool.duplicate(0, 4, 2)
    before = layer.parameters["weight"].clone()
    part = type("Part", (), {"stack": 0, "modules": modules, "values": gradients, "bytes": 0})
    server.apply((part,), seen, 0.1)
    now = layer.parameters["weight"]
    assert torch.equal(now[2], before[2])
    assert not torch.equal(now[0], before[0])
    (changed, *_) = server.changed(seen, [((0, 1, 2), (0,))])
    assert changed.modules.tolist() == [0, 2]
    assert server.changed(seen, [((0, 1, 2), (0,))]) == ()


@pytest.mark.parametrize(
    ("accident", "settings", "cause"),
    [
        ("die", {}, "was killed by signal 9"),
        ("die", {"workers": 1}, "was killed by signal 9"),
        ("hang", {"timeout": 8}, "took longer than 8 s"),
    ],
)
def test_a_worker_that_is_lost_is_named_and_replaced(
    walk, elsewhere, tmp_path, accident, settings, cause
):
    """A stage would wait for ever, or lose all that others had learned, for one worker of many."""
    task = walk(goal=3, accident=accident, once=str(tmp_path / "once"))
    settings = {**SETTINGS, "workers": 2, **settings}
    evaluator = A3C(**settings).evaluator(stage(task, elsewhere))
    done, _ = run_all(evaluator, 12)
    failed = [evaluation for evaluation in done if evaluation.failed]
    assert 1 <= len(failed) <= 2
    assert all("worker" in e.cause and cause in e.cause for e in failed)
    assert evaluator.usage()["restarts"] == 1
    evaluator.close()


@pytest.mark.parametrize("bound", [0, None])
def test_staleness_is_bounded(walk, tmp_path, monkeypatch, bound):
    """The gradients of a slow worker would be of weights that others have long changed."""
    found = []
    apply = ParameterServer.apply

    def observed(server, gradients, seen, rate):
        found.append(server.updates - seen.updates)
        apply(server, gradients, seen, rate)

    monkeypatch.setattr(ParameterServer, "apply", observed)
    limit = 10**6 if bound is None else bound
    task = walk(goal=3, lazy=str(tmp_path / "lazy"))
    evaluator = A3C(**SETTINGS, workers=2, max_staleness=limit).evaluator(stage(task))
    done, _ = run_all(evaluator, 24)
    evaluator.close()
    assert not any(evaluation.failed for evaluation in done)
    assert (max(found) <= 1) == (bound == 0)


def test_candidates_of_a_checkpoint_wait_for_lanes(walk, elsewhere):
    """One worker would be given all of them at once, and be lost."""
    evaluator = A3C(**SETTINGS, workers=2).evaluator(stage(walk(goal=3), elsewhere))
    kept = [Candidate(i, i, ((i % 5, 1), (2, (2 * i) % 5)), None, i) for i in range(4)]
    evaluator.restore({"frames": 12, "candidates": [candidate.state() for candidate in kept]})
    waiting = evaluator.state()["candidates"]
    done, end = [], time.monotonic() + 120
    while len(done) < len(kept):
        assert time.monotonic() < end
        done += evaluator.advance()
    assert waiting == [candidate.state() for candidate in kept]
    assert sorted(e.candidate.id for e in done) == [0, 1, 2, 3]
    assert not any(e.failed for e in done)
    assert evaluator.usage()["restarts"] == 0
    evaluator.close()
