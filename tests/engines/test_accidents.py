import os
import signal
import sqlite3

import pytest

from pathnet_evo.engines.processes import ProcessEngine
from pathnet_evo.interfaces.evaluations import StageFailed

pytestmark = pytest.mark.slow


def check(shop, done, failed):
    """Only those evaluations failed, and the pool holds exactly what the others trained."""
    assert {e.candidate.id for e in done if e.failed} == failed
    assert shop.sums() == shop.sums_of(done)


@pytest.mark.parametrize("when", ["killed", "killed_late"])
def test_a_killed_worker_costs_its_evaluation(train, shop, when):
    """One process that runs out of memory would end a run of days, or leave half an update."""
    done = train(14, **{when: (3, 8)})
    check(shop, done, {3, 8})
    assert {e.cause for e in done if e.failed} == {"its process was killed by signal 9"}


def test_a_hanging_worker_costs_its_evaluation(train, shop):
    """A worker that hangs would hold up the run for ever."""
    done = train(10, engine=ProcessEngine(workers=2, timeout=2), stopped=(2,))
    failed = {e.candidate.id: e.cause for e in done if e.failed}
    assert failed[2] == "an evaluation took longer than 2 s; its process was killed"
    check(shop, done, set(failed))  # a machine that is slow enough may fail others, too


def test_a_worker_that_starts_slowly_does_not_hang(toy, shop):
    """On a busy machine, imports would be taken for an evaluation that hangs."""
    engine = ProcessEngine(workers=1, timeout=0.2, max_restarts=0)
    engine.evaluator(toy(starts=0.5), shop.context).close()
    engine.close()


def test_a_worker_that_never_starts_is_given_up(toy, shop):
    """A worker that hangs before its first evaluation would hold up the run for ever."""
    engine = ProcessEngine(workers=1, start_timeout=0.2, max_restarts=0)
    with pytest.raises(StageFailed, match=r"a worker's start took longer than 0\.2 s"):
        engine.evaluator(toy(starts=60), shop.context)


def test_an_exception_costs_its_evaluation(train, shop):
    """An error in one path's training would end the run, and not be shown."""
    done = train(10, broken=(2, 5), failed=(7,))
    check(shop, done, {2, 5, 7})
    causes = {e.cause.partition(", at toy_learner.py")[0] for e in done if e.failed}
    assert causes == {"RuntimeError: out of memory, say", "diverged"}
    assert len({e.metrics["process"] for e in done if not e.failed}) == 2


def test_memory_that_cannot_be_had_costs_its_evaluation(train, shop):
    """One path that is too large would end a stage."""
    done = train(hungry=(3, 8))
    check(shop, done, {3, 8})
    assert all("memory" in e.cause for e in done if e.failed)


def test_workers_are_not_started_for_ever(train, toy, shop, processes):
    """A machine on which every worker dies would start processes without an end."""
    with pytest.raises(StageFailed, match="no worker is left after 1 were replaced.*signal 9"):
        train(20, engine=ProcessEngine(workers=1, max_restarts=1), killed=tuple(range(20)))
    assert processes.eventually(lambda: not processes.workers(os.getpid())) is True


def test_a_learner_that_cannot_start_says_so(train):
    """A learner that does not fit its task would fail without a word, in another process."""
    with pytest.raises(StageFailed, match="ValueError: this learner is out of order"):
        train(unable=True)


def test_a_learner_that_goes_past_the_lease_fails(train, shop):
    """Weights that are not there would be taken for the pool's."""
    done = train(4, touches=True)
    assert all(e.failed and "meta" in e.cause for e in done)


def test_a_killed_worker_does_not_end_a_run(running, processes):
    """A run would stop, or its lineage have holes, when one of its processes is killed."""
    process, folder = running()
    assert processes.eventually(lambda: evaluations(folder) > 20)
    victims = processes.workers(process.pid)
    assert len(victims) == 2
    victim = min(victims)
    os.kill(victim, signal.SIGKILL)
    assert processes.eventually(lambda: len(processes.workers(process.pid) - {victim}) == 2)
    assert processes.eventually(lambda: evaluations(folder, "FAILED") == 1)
    before = evaluations(folder)
    assert processes.eventually(lambda: evaluations(folder) > before + 20)
    assert process.poll() is None


@pytest.mark.parametrize("how", ["kill the parent", "Ctrl-C", "Ctrl-C twice"])
def test_nothing_is_left_behind(running, processes, how):
    """Processes would go on computing, or shared memory stay taken, after a run is over."""
    before = processes.segments()
    process, folder = running()
    assert processes.eventually(lambda: evaluations(folder) > 20)
    all_of_it = processes.children(process.pid)
    if how == "kill the parent":
        process.kill()
        process.wait(300)
    else:
        os.killpg(process.pid, signal.SIGINT)
        if how == "Ctrl-C twice":
            os.killpg(process.pid, signal.SIGINT)
        process.wait(300)
        if how == "Ctrl-C":
            output = (folder.parent / "output").read_text()
            assert process.returncode == 130
            assert "Traceback" not in output
    assert processes.eventually(lambda: not any(map(processes.alive, all_of_it)))
    assert processes.eventually(lambda: processes.segments() <= before)


def evaluations(folder, state="OK"):
    """How many evaluations the lineage of a run has."""
    try:
        db = sqlite3.connect(f"file:{folder / 'lineage.sqlite'}?mode=ro", uri=True)
        query = "SELECT count(*) FROM evaluations WHERE state = ?"
        (count,) = db.execute(query, (state,)).fetchone()
        db.close()
    except sqlite3.OperationalError:
        return 0
    return count
