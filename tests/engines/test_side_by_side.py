import inspect
import os
import random

import pytest
import torch

from pathnet_evo.engines.inline import InlineEngine
from pathnet_evo.engines.processes import ProcessEngine
from pathnet_evo.interfaces.tasks import SupervisedTask
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.running import runner
from pathnet_evo.setup import config
from pathnet_evo.setup.resolving import resolve
from pathnet_evo.store.lineage import digest
from pathnet_evo.strategies.binary_tournament import BinaryTournament
from pathnet_evo.testing import EngineContract
from pathnet_evo.trial.loop import evolve
from pathnet_evo.workers.supervisor import TICK

STRATEGIES = Registry().names("strategies")


OPEN = []


class Reused(ProcessEngine):
    """One set of workers for all checks of the contract, which closes nothing."""

    def evaluator(self, learner, context):
        """Close the evaluator before."""
        self.close_last()
        OPEN.append(super().evaluator(learner, context))
        return OPEN[-1]

    def close_last(self):
        """Give the workers back."""
        while OPEN:
            OPEN.pop().close()


@pytest.fixture(scope="module")
def side_by_side():
    """An engine with two workers."""
    engine = Reused(workers=2)
    yield engine
    engine.close_last()
    engine.close()


def rings(n=48):
    """Points within a ball, and outside it."""
    x = torch.randn(n, 6, generator=torch.Generator().manual_seed(0))
    y = (x.norm(dim=1) > 2.4).long()
    return SupervisedTask("rings", x, y, x + 0.1, y, 2)


CHECKS = [n for n, _ in inspect.getmembers(EngineContract, inspect.isfunction) if n[:5] == "test_"]


@pytest.mark.slow
@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("slots", [1, 2])
def test_contract(side_by_side, check, slots):
    """Strategies could tell worker processes from a learner's own evaluator."""

    class Here(EngineContract):
        repeats = False

        def engine(self):
            return side_by_side

        def learner(self):
            return Registry().get("learners", "sgd")(n_batches=3, batch_size=4, slots=slots)

        def task(self):
            return rings()

    getattr(Here(), check)()


@pytest.mark.parametrize("check", CHECKS)
def test_contract_inline(check):
    """The engine that everybody uses would break the contract of engines."""

    class Here(EngineContract):
        def engine(self):
            return InlineEngine()

        def learner(self):
            return Registry().get("learners", "sgd")(n_batches=3, batch_size=4)

        def task(self):
            return rings()

    getattr(Here(), check)()


@pytest.mark.slow
def test_no_update_is_lost(train, shop):
    """Paths that overlap, which most do, would overwrite what others have just learned."""
    done = train(60, seconds=0.02)  # and twice and three times that, so that some overtake
    assert sorted(e.candidate.id for e in done) == list(range(60))
    assert shop.sums() == shop.sums_of(done)
    assert {e.metrics["worker"] for e in done} == {0.0, 1.0}
    assert [e.candidate.id for e in done] != sorted(e.candidate.id for e in done)


@pytest.mark.slow
def test_frozen_and_renewed_modules_refuse(shop, toy, side_by_side):
    """What was trained from other weights would be mixed into a frozen or re-initialised module."""
    evaluator = side_by_side.evaluator(toy(seconds=0.5), shop.context)
    (candidate,) = shop.candidates(1)
    evaluator.submit(candidate)
    evaluator.advance()
    module = candidate.genotype[0][0]
    shop.pool.freeze(((module,), (candidate.genotype[1][0],)))
    while not evaluator.advance():
        pass
    layers, head = shop.sums()
    assert layers[0][module] == 0.0
    assert head == 1.0


@pytest.mark.slow
def test_cancelled_work_is_refused(shop, toy, side_by_side, run_all):
    """What was in flight when a stage ended would still change the pool, or fill its slots."""
    evaluator = side_by_side.evaluator(toy(seconds=0.3), shop.context)
    for candidate in shop.candidates(2):
        evaluator.submit(candidate)
    assert evaluator.advance() == []
    evaluator.cancel()
    assert evaluator.free == 2
    assert evaluator.advance() == []
    done = run_all(evaluator, shop.candidates(6, start=6))
    assert sorted(e.candidate.id for e in done) == list(range(6, 12))
    assert shop.sums() == shop.sums_of(done)


@pytest.mark.slow
def test_layers_of_different_size(shop, toy, side_by_side, run_all):
    """A layer that has grown would be cut off in the workers."""
    shop.pool.grow(1, 3, torch.Generator())
    for values in shop.pool.layers[1].parameters.values():
        values.zero_()
    evaluator = side_by_side.evaluator(toy(), shop.context)
    (candidate,) = shop.candidates(1)
    tall = type(candidate)(0, 0, ((0, 1), (6, 7)), None, 0)
    (done,) = run_all(evaluator, [tall])
    assert not done.failed
    assert shop.pool.layers[1].parameters["bias"][:, 0].tolist() == [0, 0, 0, 0, 0, 0, 1, 1]


SMALL = {
    "seeds": 1,
    "arms": ["pathnet"],
    "pool": {"modules": 6, "width": 2, "layers": [{"kind": "linear", "units": 8, "repeat": 2}]},
    "strategy": {"name": "binary-tournament", "population": 6},
    "learner": {"name": "sgd", "n_batches": 4, "batch_size": 8},
    "stages": [{"task": {"name": "digits", "classes": [a, a + 1]}} for a in (0, 2)],
}


def launch(tmp_path, name, engine, **sections):
    """Run a small configuration on an engine."""
    data = {**SMALL, **sections, "engine": engine}
    stages = [{"generations": 10, **stage} for stage in data["stages"]]
    return runner.launch({**data, "stages": stages}, name=name, runs_dir=tmp_path)


@pytest.mark.slow
def test_one_worker_repeats_inline(tmp_path):
    """A worker process would train something else than the learner's own evaluator."""
    here = launch(tmp_path, "here", "inline")
    there = launch(tmp_path, "there", {"name": "processes", "workers": 1})
    assert digest(tmp_path / "here/lineage.sqlite") == digest(tmp_path / "there/lineage.sqlite")
    assert here.summary["deterministic"]
    assert there.summary["deterministic"]
    assert here.summary["times"]["pathnet"][0]["usage"] == {}
    usage = {k: v["mean"] for k, v in there.summary["times"]["pathnet"][0]["usage"].items()}
    assert usage["workers"] == usage["in_flight"] == 1
    assert usage["overlap"] == usage["restarts"] == 0
    assert usage["bytes"] > 20 * 2 * 4 * 8 * 8
    assert 'name = "processes"' in (tmp_path / "there/run.toml").read_text()


@pytest.mark.slow
def test_rounds_do_not_depend_on_time(shop, toy):
    """What operators draw in a round would depend on how long one worker took, so not repeat."""
    engine, found = ProcessEngine(workers=1), []
    for seconds in (0.0, 1.5 * TICK):
        strategy, rounds = BinaryTournament(shop.pool.shape(2), random.Random(0), population=4), []

        def over(strategy=strategy, rounds=rounds):
            rounds.append(strategy.told)
            return strategy.told == 4

        evaluator = engine.evaluator(toy(seconds=seconds), shop.context)
        evolve(strategy, evaluator, over)
        evaluator.close()
        found.append(rounds)
    engine.close()
    assert found == [[0, 1, 2, 3, 4]] * 2


@pytest.mark.slow
def test_every_strategy(tmp_path, processes):
    """A strategy would wait for ever, or lose evaluations that end in another order."""
    before, others = processes.segments(), processes.workers(os.getpid())
    arms = [{"name": s, "strategy": {"name": s, "population": 8}} for s in STRATEGIES]
    run = launch(tmp_path, "all", {"name": "processes", "workers": 2}, arms=arms)
    assert run.summary["state"] == "finished"
    assert run.summary["deterministic"] is False
    for arm in run.summary["arms"].values():
        for stage in arm["stages"]:
            assert stage["evaluations"]["mean"] == 20
            assert stage["failed"]["mean"] == 0
            assert stage["examples"]["mean"] == 20 * 4 * 8
    assert processes.workers(os.getpid()) <= others
    assert processes.eventually(lambda: processes.segments() <= before)


@pytest.mark.slow
def test_jobs_and_workers(tmp_path):
    """Trials in processes of their own could not have workers, since those would be children."""
    run = launch(tmp_path, "both", {"name": "processes", "workers": 1}, jobs=2, seeds=2)
    launch(tmp_path, "plain", "inline", seeds=2)
    assert run.summary["state"] == "finished"
    assert digest(tmp_path / "both/lineage.sqlite") == digest(tmp_path / "plain/lineage.sqlite")


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ("proceses", 'engine.name: engine "proceses" is not registered. Did you mean "processes"?'),
        ({"name": "processes", "workers": 0}, "engine.workers: input should be greater than"),
        ({"name": "processes", "timeout": 0}, "engine.timeout: input should be greater than 0"),
        ({"name": "inline", "workers": 2}, "engine.workers: unknown key"),
    ],
)
def test_bad_options(engine, message):
    """A misspelt engine would be found out in the middle of a run."""
    stage = {"task": {"name": "digits", "classes": [0, 1]}}
    with pytest.raises(config.ConfigError, match=message.replace("?", r"\?")):
        resolve(config.validate({"stages": [stage], "engine": engine}), Registry())


@pytest.mark.slow
def test_one_file_plugins_reach_the_workers(tmp_path):
    """A learner in a file of its own would be unknown in the worker processes."""
    file = tmp_path / "mine.py"
    file.write_text(
        "from pathnet_evo import hookimpl\n"
        "from pathnet_evo_sgd.learner import SGD\n"
        "class Mine(SGD):\n    pass\n"
        "@hookimpl\ndef register_learners(register):\n    register('mine', Mine)\n"
    )
    learner = {"name": "mine", "n_batches": 2, "batch_size": 4}
    engine = {"name": "processes", "workers": 1}
    run = launch(tmp_path, "files", engine, learner=learner, plugins=[str(file)])
    assert run.summary["state"] == "finished"


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["inline", "processes"])
def test_contestants_with_the_same_start(tmp_path, engine, side_by_side):
    """A tournament that is to be fair would still favour who trains first, or has easier data."""
    sgd = Registry().get("learners", "sgd")(n_batches=5, batch_size=4, slots=2)
    from pathnet_evo.testing.learners import bench

    made = bench(sgd, rings())
    chosen = InlineEngine() if engine == "inline" else side_by_side
    evaluator = chosen.evaluator(sgd, made.context)
    (first,) = made.candidates(1)
    pair = [type(first)(i, i, first.genotype, None, 7) for i in range(2)]
    for candidate in pair:
        evaluator.submit(candidate)
    done = []
    while len(done) < 2:
        done += evaluator.advance()
    assert done[0].fitness == done[1].fitness
    assert done[0].metrics == done[1].metrics
