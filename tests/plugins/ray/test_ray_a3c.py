"""A3C's workers on Ray."""

import os
import re
import signal
import time
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import torch

from pathnet_evo.core.kinds import Linear
from pathnet_evo.core.pool import ModulePool
from pathnet_evo.core.streams import Streams
from pathnet_evo.engines.inline import InlineEngine
from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo.interfaces.learners import LearningContext
from pathnet_evo.plugins.files import PluginFile, import_file
from pathnet_evo.running import runner
from pathnet_evo_a3c.learner import A3C
from pathnet_evo_ray.engine import RayEngine

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("joined")]

SETTINGS = {"num_envs": 2, "rollout_length": 4, "episodes": 2, "score_episodes": 2}


@pytest.fixture(scope="module")
def walk():
    """The walks of the A3C learner's tests, in a file that workers are sent."""
    file = Path(__file__).parents[1] / "a3c" / "environments.py"
    return import_file(PluginFile(path=str(file)))[0].WalkTask


@pytest.fixture(scope="module")
def engine(walk):
    """An engine that places workers on Ray."""
    made = RayEngine(cpus_per_worker=0.5)
    yield made
    made.close()


def stage(task):
    """A pool and a context."""
    streams = Streams(0, 0)
    pool = ModulePool([Linear(units=6)] * 2, 5, task.input_shape)
    pool.initialise(lambda layer: streams.torch("init", layer))
    head = pool.head(task.n_actions + 1, streams.torch("readout"))
    return LearningContext(pool, head, task, torch.device("cpu"), streams, True)


def candidate(i):
    """The i-th of many."""
    return Candidate(i, i, ((i % 5, 1), (2, (2 * i) % 5)), None, i)


def run_all(evaluator, n, seconds=200):
    """Submit as lanes are idle until all came back."""
    waiting = [candidate(i) for i in range(n)]
    flying, done, end = set(), [], time.monotonic() + seconds
    while waiting or flying:
        assert time.monotonic() < end, f"lost: {flying}"
        for new in waiting[: evaluator.free]:
            evaluator.submit(new)
            flying.add(new.id)
            waiting.remove(new)
        for evaluation in evaluator.advance():
            flying.remove(evaluation.candidate.id)
            done.append(evaluation)
    return done


def failures(evaluator, accident, seconds=200):
    """Keep all lanes busy, before and after an accident, until it is reported; what it is then.

    It happens while each worker has a candidate in its first rollout, which is too short for the
    episodes of an evaluation: one that was done with all that it had would leave nothing to report.
    """
    numbers, done, happened, end = count(), 0, False, time.monotonic() + seconds
    begun = {}
    while time.monotonic() < end:
        for _ in range(evaluator.free):
            evaluator.submit(candidate(next(numbers)))
        players = evaluator.evaluator.workers.members
        for player in players:
            begun |= {number: player.rollouts for number in player.pending if number not in begun}
        new = [any(begun[number] == p.rollouts for number in p.pending) for p in players]
        if done > 20 and not happened and all(new) and all(p.ready for p in players):
            happened = True
            accident()
        over = evaluator.advance()
        if failed := [evaluation for evaluation in over if evaluation.failed]:
            return failed
        done += len(over)
    raise AssertionError(f"nothing was reported: {done=}, {happened=}, {players}")


def test_one_worker_learns_the_same_bits(walk, engine):
    """What is learned would depend on where it is."""
    results = []
    for chosen in (InlineEngine(), engine):
        context = stage(walk(goal=3))
        evaluator = chosen.evaluator(A3C(**SETTINGS), context)
        done = run_all(evaluator, 8)
        evaluator.close()
        weights = [v for s in context.pool.stacks(context.head) for v in s.parameters.values()]
        results.append(([(e.candidate.id, e.fitness, e.examples) for e in done], weights))
    assert results[0][0] == results[1][0]
    assert all(map(torch.equal, results[0][1], results[1][1]))


def test_workers_of_a_lost_node_are_named_and_replaced(walk, engine, joined):
    """What all others learned would be lost with one machine."""
    evaluator = engine.evaluator(A3C(**SETTINGS, workers=3), stage(walk(goal=3)))

    failed = failures(evaluator, joined.remove)
    assert all("was lost with its node" in e.cause and "worker" in e.cause for e in failed)
    evaluator.cancel()
    assert not any(evaluation.failed for evaluation in run_all(evaluator, 12))
    assert 1 <= evaluator.usage()["restarts"] <= 2
    evaluator.close()


def test_a_worker_that_is_killed_is_named_and_replaced(walk, engine):
    """A stage would wait for ever for the episodes of a node that is gone."""
    evaluator = engine.evaluator(A3C(**SETTINGS, workers=2), stage(walk(goal=3)))
    process = 0

    def kill():
        nonlocal process
        player = next(p for p in evaluator.evaluator.workers.members if p.pending)
        process = int(re.search(r"process (\d+)", player.link.where)[1])
        os.kill(process, signal.SIGKILL)

    failed = failures(evaluator, kill)
    assert all(f"process {process}" in e.cause and "worker" in e.cause for e in failed)
    evaluator.cancel()
    assert not any(evaluation.failed for evaluation in run_all(evaluator, 12))
    assert evaluator.usage()["restarts"] == 1
    evaluator.close()


def test_a_run_says_where_its_workers_are(tmp_path):
    """``engine = "ray"`` would be refused for a learner that trains the pool in place."""
    config = {
        "seeds": 1,
        "arms": ["pathnet"],
        "pool": {"modules": 4, "width": 2, "layers": [{"kind": "linear", "units": 8}]},
        "strategy": {"name": "asynchronous-tournament", "population": 4},
        "learner": {"name": "a3c", **SETTINGS, "workers": 2, "max_staleness": 1},
        "engine": {"name": "ray", "cpus_per_worker": 0.5},
        "stages": [{"task": {"name": "gym", "id": "CartPole-v1"}, "frames": 1500}],
    }
    run = runner.launch(config, name="game", runs_dir=tmp_path)
    assert run.summary["state"] == "finished"
    usage = {k: v["mean"] for k, v in run.summary["times"]["pathnet"][0]["usage"].items()}
    assert usage["workers"] == 2
    assert usage["restarts"] == 0
    assert 0 <= usage["staleness"] <= 2
    assert usage["bytes"] > 0


def test_a_contexts_transport_is_not_sent(walk, engine):
    """A connection would travel to the workers, or fail to."""
    context = replace(stage(walk(goal=3)), transport=engine.transport())
    evaluator = A3C(**SETTINGS).evaluator(context)
    assert evaluator.server.copied()[0].transport is None
    evaluator.close()
