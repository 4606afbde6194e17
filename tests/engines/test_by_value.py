"""Workers without shared memory: only what they lack travels, and nothing else changes."""

from pathlib import Path

import pytest
import torch

from pathnet_evo.core.genotype import distinct
from pathnet_evo.engines.inline import InlineEngine
from pathnet_evo.engines.worker_engine import WorkerEngine
from pathnet_evo.interfaces.evaluations import Candidate
from pathnet_evo.interfaces.tasks import SupervisedTask
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.testing.learners import bench

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engines():
    """Makes engines whose workers share nothing with the trial; all end at the end."""
    made = []
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "workers"))
        import toy_workers

        class Elsewhere(WorkerEngine):
            def transport(self):
                return toy_workers.ByValue()

        def make(workers):
            made.append(Elsewhere(workers=workers))
            return made[-1]

        yield make
        for engine in made:
            engine.close()


@pytest.fixture(scope="module")
def two(engines):
    """Two workers for all tests that need no others."""
    return engines(2)


def rings(n=48):
    """Points within a ball, and outside it."""
    x = torch.randn(n, 6, generator=torch.Generator().manual_seed(0))
    y = (x.norm(dim=1) > 2.4).long()
    return SupervisedTask("rings", x, y, x + 0.1, y, 2)


def test_no_update_is_lost(shop, toy, two, run_all):
    """Weights that a worker keeps would be older than the pool's, or half of another's."""
    evaluator = two.evaluator(toy(seconds=0.002, failed=(7, 20)), shop.context)
    shop.pool.freeze(((1,), (3,)))
    done = run_all(evaluator, shop.candidates(80))
    usage = evaluator.usage()
    evaluator.close()
    layers, head = shop.sums_of(done)
    layers[0][1] = layers[1][3] = 0.0
    assert shop.sums() == (layers, head)
    assert usage["overlap"] > 0
    assert 1 <= usage["in_flight"] <= 2
    assert usage["workers"] == 2


def test_one_worker_receives_each_module_once(shop, toy, engines, run_all):
    """What only this worker changes would be sent to it for every lease."""
    candidates = shop.candidates(40)
    shop.pool.freeze(((1,), (3,)))
    evaluator = engines(1).evaluator(toy(), shop.context)
    run_all(evaluator, candidates)
    sizes = [[4 * 3 + 4, 4 * 4 + 4], 2 * 4 + 2]
    seen = {(i, m) for c in candidates for i, ms in enumerate(distinct(c.genotype)) for m in ms}
    received = sum(sizes[0][i] for i, _ in seen) + sizes[1]
    returned = sum(
        sizes[0][i] * len(set(ms) - {(1, 3)[i]})
        for c in candidates
        for i, ms in enumerate(distinct(c.genotype))
    ) + sizes[1] * len(candidates)
    assert evaluator.usage()["bytes"] == 4 * (received + returned)
    evaluator.close()


def test_what_was_overwritten_travels_again(shop, toy, two, run_all):
    """A worker would go on from weights that were re-initialised or duplicated meanwhile."""
    evaluator = two.evaluator(toy(), shop.context)
    rows = ((0, 1), (0, 1))
    for start in range(3):
        run_all(evaluator, [Candidate(10 * start + i, i, rows, None, i) for i in range(4)])
        shop.pool.duplicate(0, 0, 1)
        shop.pool.layers[1].initialise(torch.Generator().manual_seed(start))
        for values in shop.pool.layers[1].parameters.values():
            values.zero_()
    run_all(evaluator, [Candidate(90 + i, i, rows, None, i) for i in range(4)])
    evaluator.close()
    layers, head = shop.sums()
    assert layers[0][:2] == [16.0, 16.0]
    assert layers[1][:2] == [4.0, 4.0]
    assert head == 16.0


def test_a_worker_that_was_replaced_has_no_copies(shop, toy, two, run_all):
    """A new worker would be asked for weights that only the dead one had."""
    evaluator = two.evaluator(toy(killed=(9,), killed_late=(17,), broken=(24,)), shop.context)
    done = run_all(evaluator, shop.candidates(40))
    usage = evaluator.usage()
    evaluator.close()
    assert {e.candidate.id for e in done if e.failed} >= {9, 24}
    assert shop.sums() == shop.sums_of(done)
    assert usage["restarts"] == 2


def test_cancelled_work_leaves_no_copies(shop, toy, two, run_all):
    """What was trained in vain would be taken for the pool's."""
    evaluator = two.evaluator(toy(seconds=0.05), shop.context)
    finished = []
    for start in range(0, 40, 8):
        candidates = shop.candidates(8, start=start)
        for candidate in candidates[: evaluator.free]:
            evaluator.submit(candidate)
        evaluator.advance()
        evaluator.cancel()
        finished += run_all(evaluator, candidates[4:])
    evaluator.close()
    kept, head = shop.sums_of(finished)
    sums, readout = shop.sums()
    # Evaluations that were over at the first call of advance() count as well.
    assert all(a >= b for x, y in zip(sums, kept, strict=True) for a, b in zip(x, y, strict=True))
    assert head <= readout <= head + 5


@pytest.mark.parametrize("state", ["kept", "fresh"])
def test_learns_the_same_bits(engines, state):
    """Optimizer state would stay behind, or weights differ in their last bits."""
    sgd = Registry().get("learners", "sgd")(
        n_batches=3, batch_size=4, slots=2, optimizer="Adam", optimizer_state=state
    )
    results = []
    for engine in (InlineEngine(), engines(1)):
        made = bench(sgd, rings())
        evaluator = engine.evaluator(sgd, made.context)
        done, waiting = [], made.candidates(12)
        while len(done) < 12:
            if evaluator.free == 2:
                for candidate in waiting[:2]:
                    evaluator.submit(candidate)
                waiting = waiting[2:]
            done += evaluator.advance()
        evaluator.close()
        results.append(([e.fitness for e in done], made.weights()))
    assert results[0][0] == results[1][0]
    assert all(map(torch.equal, results[0][1], results[1][1]))
