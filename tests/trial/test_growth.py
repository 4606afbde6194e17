"""Sequences that fill the pool: nothing is forgotten, and layers grow where they are to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pathnet_evo.core.streams import Streams
from pathnet_evo.interfaces.records import (
    GenerationFinished,
    Saturated,
    StageFinished,
    StageStarted,
)
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.running.runner import launch
from pathnet_evo.setup.config import validate
from pathnet_evo.setup.overrides import override
from pathnet_evo.setup.plan import Plan
from pathnet_evo.setup.preparing import prepare
from pathnet_evo.setup.resolving import resolve
from pathnet_evo.trial.trial import learn_sequence

PAIRS = [[a, (a + step) % 10] for step in (1, 3) for a in range(0, 10, 2)]
"""Ten pairs of digits; each digit is in two of them."""


def _plan(*settings: str) -> Plan:
    data: dict[str, Any] = {
        "arms": ["pathnet"],
        "pool": {"modules": 4, "width": 2, "layers": [{"kind": "linear", "units": 8, "repeat": 2}]},
        "strategy": {"name": "binary-tournament", "population": 4},
        "stages": [
            {"generations": 3, "task": {"name": "digits", "classes": pair}} for pair in PAIRS
        ],
    }
    override(data, settings)
    return resolve(validate(data), Registry())


def _records(plan: Plan) -> list[Any]:
    records: list[Any] = []
    learn_sequence(plan, plan.trials[0], "cpu", records.append)
    return records


@pytest.mark.parametrize("grow", ["false", "true", "3"])
@pytest.mark.parametrize("always", ["false", "true"])
def test_ten_tasks_without_forgetting(grow: str, always: str) -> None:
    """An earlier task would be forgotten, or a full pool would crash."""
    records = _records(
        _plan(f"transfer.grow={grow}", f"transfer.connect={'sum' if always else 'named'}")
    )
    finished = [r for r in records if isinstance(r, StageFinished)]
    assert len(finished) == len(PAIRS)
    for stage in finished:
        assert finished[-1].scores[stage.stage] == stage.scores[stage.stage]


@pytest.mark.parametrize("grow", ["false", "true"])
def test_a_summary_shows_that_nothing_is_forgotten(tmp_path: Path, grow: str) -> None:
    """A user of the preset of ten tasks could not see what was forgotten, or how full the pool is.

    Each score is held against that of the stage's network, read from its own checkpoint.
    """
    tiny = ["arms=['pathnet']", "seeds=1", "stages.*.generations=1", "stages.*.task.copies=1"]
    settings = [*tiny, f"transfer.grow={grow}"]
    run = launch("digits-ten", settings, runs_dir=tmp_path)
    plan = prepare("digits-ten", settings, Registry())
    stages = run.summary["arms"]["pathnet"]["stages"]
    assert len(stages) == 10
    for i, stage in enumerate(stages[:-1]):
        assert stage["forgetting"]["test_accuracy"]["seeds"] == {"0": 0.0}
        task = plan.make_task(i, Streams(0), None)
        network = run.network(i, after=9)
        right = network(task.test_inputs).argmax(1) == task.test_labels
        assert stage["scores"]["test_accuracy"]["seeds"]["0"] == int(right.sum()) / len(right)
    frozen = [stage["frozen"]["mean"] for stage in stages]
    assert frozen == sorted(frozen)
    assert (stages[-1]["modules"]["mean"] > 30) == (grow == "true")
    assert all(f <= stage["modules"]["mean"] for f, stage in zip(frozen, stages, strict=True))


@pytest.mark.slow
def test_a_full_layer_is_told_once_a_stage() -> None:
    """A user would not hear that the pool is full, and later tasks would quietly learn less."""
    records = _records(_plan())
    told = [r for r in records if isinstance(r, Saturated)]
    expected = []
    for stage in (r for r in records if isinstance(r, StageStarted)):
        for layer, (count, frozen) in enumerate(zip(stage.counts, stage.frozen, strict=True)):
            if count - len(frozen) < 2:
                expected.append((stage.stage, layer, count - len(frozen), 0))
    assert expected
    assert [(r.stage, r.layer, r.free, r.added) for r in told] == expected
    assert "transfer.grow" in str(told[0])


@pytest.mark.slow
@pytest.mark.parametrize(("grow", "least"), [("true", 0), ("3", 3)])
def test_layers_grow_until_a_path_fits(grow: str, least: int) -> None:
    """A later task would have fewer new modules than a path can use."""
    records = _records(_plan(f"transfer.grow={grow}"))
    for stage in (r for r in records if isinstance(r, StageStarted)):
        for count, frozen in zip(stage.counts, stage.frozen, strict=True):
            assert count - len(frozen) >= 2
    grown = [r for r in records if isinstance(r, Saturated)]
    assert grown
    for record in grown:
        assert record.added == max(2 - record.free, least)


@pytest.mark.slow
def test_generations_tell_of_diversity() -> None:
    """The lineage would say nothing of how alike the population is."""
    records = [r for r in _records(_plan()) if isinstance(r, GenerationFinished)]
    assert all(1 <= r.diversity["distinct_paths"] <= 4 for r in records if r.diversity)
    assert all(r.diversity for r in records if r.generation == 0)
