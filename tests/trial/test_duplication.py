"""Module duplication: who is copied, onto whom, and what must not change."""

import copy
import json
import random
import sqlite3
from collections import Counter

import pytest
import torch

from pathnet_evo.interfaces.evaluations import Candidate, Evaluation
from pathnet_evo.interfaces.records import Evaluated, TrialStarted
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.store.lineage import Lineage
from pathnet_evo.trial.duplication import WINDOW, Duplication
from pathnet_evo.trial.trial import Checkpointer, learn_sequence, state


def held(duplication, modules, fitness):
    """Tell of an evaluated path that held the same modules in every layer."""
    rows = (tuple(modules),) * len(duplication.pool.layers)
    duplication.on_evaluation(Evaluation(Candidate(0, 0, rows, None, 0), fitness))


def test_sources_are_drawn_by_usefulness(make_pool):
    """Broken: modules of bad paths would spread as fast as those of good ones."""
    drawn = Counter()
    rng = random.Random(0)
    for _ in range(4000):
        duplication = Duplication(make_pool.small, 1, rng)
        for module, fitness in ((0, 1.0), (1, 3.0), (2, 4.0)):
            held(duplication, [module], fitness)
        (copied,) = duplication.generation()
        drawn[copied.source] += 1
        known = duplication.usefulness(copied.layer)
        assert copied.target not in known
        assert copied.usefulness == {1: 3.0, 2: 4.0}[copied.source]
    assert drawn[0] == 0
    assert drawn[1] / 4000 == pytest.approx(2 / 5, abs=0.03)  # 3 - 1 of (3 - 1) + (4 - 1)


@pytest.fixture
def make_pool(make_pool):
    make_pool.small = make_pool()[0]
    return make_pool


def test_usefulness_is_a_sliding_mean(make_pool):
    """Broken: a module would be judged by paths that are long gone, or by failed ones."""
    duplication = Duplication(make_pool.small, 1, random.Random(0))
    fitnesses = [float(i * i) for i in range(25)]
    for fitness in fitnesses:
        held(duplication, [1, 1, 3], fitness)
    held(duplication, [1], None)
    expected = sum(fitnesses[-WINDOW:]) / WINDOW
    assert duplication.usefulness(0) == {1: expected, 3: expected}


def test_what_is_frozen_may_be_copied_and_never_changes(make_pool, weights):
    """Broken: PathNet would forget."""
    pool = make_pool.small
    pool.freeze(((0, 1), (2,)))
    before = weights(pool)
    duplication = Duplication(pool, 1, random.Random(0))
    for _ in range(60):
        held(duplication, [0, 2], 2.0)
        held(duplication, [1, 3], 1.0)
        for copied in duplication.generation():
            ours = pool.layers[copied.layer]
            assert not ours.frozen[copied.target]
            for values in ours.parameters.values():
                assert torch.equal(values[copied.target], values[copied.source])
    for layer, old in zip(pool.layers, before, strict=True):
        assert layer.frozen.any()
        for name, values in layer.parameters.items():
            assert torch.equal(values[layer.frozen], old[name][layer.frozen])
            assert not torch.equal(values, old[name])


@pytest.mark.parametrize(("rate", "least", "most"), [(0.25, 30, 70), (2.5, 450, 550)])
def test_the_rate_is_copies_a_generation(make_pool, rate, least, most):
    """Broken: a rate in a configuration would mean something else."""
    duplication = Duplication(make_pool.small, rate, random.Random(0))
    n = 0
    for _ in range(200):
        held(duplication, [0], 2.0)
        held(duplication, [1], 1.0)
        n += len(duplication.generation())
    assert least < n < most


def learned(plan, arm="pathnet", **options):
    records = []
    learn_sequence(plan, Trial(0, arm, 0), "cpu", records.append, **options)
    return records


def told(records):
    return [
        (r.stage, r.number, r.evaluation.candidate, r.evaluation.fitness, r.copied)
        for r in records
        if isinstance(r, Evaluated)
    ]


def test_a_run_copies_and_repeats(make_plan, tmp_path):
    """Broken: the option would do nothing, differ from run to run, or leave no trace."""
    plan = make_plan(transfer={"duplication": 1.0})
    records = learned(plan)
    assert told(records) == told(learned(plan))
    copies = [(r, c) for r in records if isinstance(r, Evaluated) for c in r.copied]
    assert {record.stage for record, _ in copies} == {0, 1}
    assert all(record.number % 2 == 1 for record, _ in copies)  # as generations of two end
    lineage = Lineage(tmp_path / "lineage.sqlite")
    lineage.write(TrialStarted(0, "pathnet", 0))
    for record in records:
        lineage.write(record)
    lineage.close()
    with sqlite3.connect(tmp_path / "lineage.sqlite") as db:
        rows = db.execute(
            "SELECT stage, evaluation, data FROM events WHERE kind = 'duplication' "
            "ORDER BY stage, evaluation"
        ).fetchall()
    db.close()
    assert [(s, n, json.loads(data)) for s, n, data in rows] == [
        (record.stage, record.number, vars(copied)) for record, copied in copies
    ]


def test_controls_stay_as_they_are(make_plan):
    """Broken: the option would change what it is measured against."""
    for arm in ("independent", "fine-tuning"):
        plain, copying = (
            [entry[:4] for entry in told(learned(make_plan(transfer={"duplication": rate}), arm))]
            for rate in (0, 2)
        )
        assert plain == copying


def test_a_trial_that_copies_goes_on_as_if_it_had_not_been_left(make_plan):
    """Broken: a resumed run would copy other modules."""

    class States(Checkpointer):
        def __init__(self):
            self.states = []

        def between(self, pool, learned, stage_run, stopping):
            self.states.append(copy.deepcopy(state(pool, learned, stage_run)))

    plan, whole = make_plan(transfer={"duplication": 1.5}), States()
    records = told(learned(plan, checkpointer=whole))
    for start in whole.states[1::5]:
        rest = told(learned(plan, start=json_like(start)))
        assert rest == records[len(records) - len(rest) :]


def json_like(value):
    """What comes back from a checkpoint: lists for tuples."""
    if isinstance(value, dict):
        return {key: json_like(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [json_like(part) for part in value]
    return value
