"""Generators and numbers of other libraries."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
import torch

import pathnet_evo
from pathnet_evo.core.genotype import PathError, PathShape
from pathnet_evo.core.streams import borrow, lend
from pathnet_evo.interfaces.evaluations import Candidate, Episode, Evaluation

DRAWING = """
import random

import numpy as np
import torch

import pathnet_evo
from pathnet_evo import SupervisedTask, TaskSettings, hookimpl
from pathnet_evo_sgd.learner import SGD, SGDEvaluator


class Drawn(TaskSettings):
    def make(self, context):
        x = torch.rand(60, 3) + float(np.random.rand()) + random.random()
        y = torch.arange(60) % 2
        return SupervisedTask("drawn", x, y, x[:9], y[:9], np.int64(2))


class Drawing(SGD):
    def evaluator(self, context):
        return Evaluator(self, context)

    def score(self, network, task, streams):
        return {np.str_("drawn"): np.float32(float(torch.rand(1)) + np.random.rand())}


class Evaluator(SGDEvaluator):
    def advance(self):
        done = super().advance()
        return [
            pathnet_evo.Evaluation(
                e.candidate,
                np.float32(np.random.rand() + random.random()),
                examples=np.int32(e.examples),
                seconds=np.float64(e.seconds),
                metrics={np.str_("loss"): torch.rand(1)[0], "a": np.float32(np.random.normal())},
            )
            for e in done
        ]


def numpy_mutation(genotype):
    for row in genotype:
        for i in range(len(row)):
            row[i] = np.random.randint(3)
    row[0] = torch.randint(3, (1,))[0]
    return (genotype,)


@hookimpl
def register_tasks(register):
    register("drawn", Drawn)


@hookimpl
def register_learners(register):
    register("drawing", Drawing)


@hookimpl
def register_operators(register):
    register("numpy", numpy_mutation)
"""


@pytest.fixture
def drawing(home, small):
    """A run of a plugin that draws from every global generator, and tells numbers of NumPy's."""
    (home / "drawing.py").write_text(DRAWING)
    return {
        **small,
        "name": "drawing",
        "plugins": ["drawing.py"],
        "strategy": {"name": "binary-tournament", "population": 4, "mutate": "numpy"},
        "learner": {"name": "drawing", "n_batches": 2, "batch_size": 4},
        "stages": [{"task": "drawn", "generations": 5}] * 2,
    }


@pytest.mark.slow
def test_drew_from_global_generators(drawing, interrupted, rows):
    """``deterministic: true`` would be said of runs that never come out twice the same."""
    first = pathnet_evo.launch(drawing, name="first")
    digest = first.summary["digest"]
    torch.rand(3), np.random.rand(3), random.random()
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    assert pathnet_evo.launch(drawing, name="second").summary["digest"] == digest
    assert random.getstate() == before[0]
    assert str(np.random.get_state()) == str(before[1])
    assert torch.equal(torch.get_rng_state(), before[2])
    other = pathnet_evo.launch({**drawing, "seed": 1}, name="other")
    assert other.summary["digest"] != digest
    run = interrupted(drawing, 1)
    assert pathnet_evo.resume(run).summary["digest"] == digest
    told = rows(run, "SELECT fitness, metrics FROM evaluations")
    assert len(set(told)) == len(told) == 20, "rounds would repeat one another's draws"


@pytest.mark.slow
def test_drew_from_global_generators_in_one_worker(drawing):
    """An engine with one worker says that it is deterministic, and would not be."""
    one = {**drawing, "engine": {"name": "processes", "workers": 1}, "arms": ["pathnet"]}
    digests = {pathnet_evo.launch(one, name=name).summary["digest"] for name in ("a", "b")}
    assert len(digests) == 1


@pytest.mark.slow
def test_told_numbers_of_numpys_types(drawing, rows):
    """They would be BLOBs in the lineage, or end the run."""
    run = pathnet_evo.launch(drawing, name="run")
    for table, columns in {
        "evaluations": {"fitness": "real", "examples": "integer", "metrics": "text"},
        "times": {"seconds": "real"},
        "stages": {"fitness": "real", "scores": "text", "genotype": "text"},
    }.items():
        for column, kind in columns.items():
            found = rows(run.folder, f"SELECT DISTINCT typeof({column}) FROM {table}")
            assert found == [(kind,)], (table, column)
    (genotype,) = rows(run.folder, "SELECT genotype FROM evaluations LIMIT 1")[0]
    assert all(type(gene) is int for row in json.loads(genotype) for gene in row)


def test_made_numbers_pythons_own():
    """An observer or a report would meet a type that JSON does not know."""
    candidate = Candidate(0, 0, ((0,),), None, 0)
    told = Evaluation(
        candidate, np.float32(0.5), None, np.int8(3), np.float16(1), {"a": np.int_(2)}
    )
    assert json.dumps([told.fitness, told.examples, told.seconds, told.metrics]) == (
        '[0.5, 3, 1.0, {"a": 2.0}]'
    )
    episode = Episode(np.int64(1), np.int64(2), torch.tensor(3.0), np.uint8(4), np.int64(5))
    assert json.dumps(vars(episode)) == (
        '{"candidate": 1, "slot": 2, "score": 3.0, "frames": 4, "at": 5}'
    )
    with pytest.raises(TypeError, match="whole number"):
        Evaluation(candidate, 0.5, examples=2.5)


@pytest.mark.parametrize("gene", [np.int64(2), np.uint8(2), torch.tensor(2), 2], ids=repr)
def test_made_genes_of_any_integer_type(gene):
    """An operator that draws with NumPy would be refused for a path that is one."""
    (row,) = PathShape(1, 3, 2).check([[0, gene]])
    assert row == (0, 2)
    assert type(row[1]) is int


@pytest.mark.parametrize("gene", [2.0, "2", True, None, np.float64(2), np.True_, 3, -1], ids=repr)
def test_made_genes_that_are_none(gene):
    """A module that does not exist would be asked for."""
    with pytest.raises(PathError, match="layer 0 has modules 0 to 2, got"):
        PathShape(1, 3, 2).check([[0, gene]])


def test_had_half_of_a_pair_of_normal_numbers():
    """A user's own draws would change with a run: NumPy keeps the second of two."""
    np.random.seed(3)
    wanted = np.random.normal(size=5).tolist()
    np.random.seed(3)
    seen = [np.random.normal()]
    with lend(random.Random(1)):
        np.random.rand(7), torch.rand(2)
    seen += [np.random.normal() for _ in range(4)]
    assert seen == wanted


def test_lent_all_three_generators():
    """An operator would give the same numbers each time, or others for an equal seed."""

    def draws(seed: int, times: int = 3) -> list[tuple[float, float]]:
        rng, seen = random.Random(seed), []
        for _ in range(times):
            with lend(rng):
                seen.append((np.random.rand(), float(torch.rand(1))))
        return seen

    with borrow():
        assert len(set(draws(1))) == 3
        assert draws(1) == draws(1) != draws(2)
    assert draws(1) == draws(1)
