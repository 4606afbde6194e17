"""What a report draws from: curves, differences of a population, genealogies."""

from __future__ import annotations

import json
import random
import sqlite3
from dataclasses import replace
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pathnet_evo.core.genotype import PathShape
from pathnet_evo.interfaces.evaluations import Evaluation
from pathnet_evo.interfaces.strategies import Strategy
from pathnet_evo.plugins import builtin
from pathnet_evo.report.data import read_report_data
from pathnet_evo.report.data.beginnings import read_beginnings
from pathnet_evo.report.data.genealogy import genealogy
from pathnet_evo.report.data.history import History, Replaced, Told
from pathnet_evo.report.data.lines import POINTS, curve, trailing_means
from pathnet_evo.report.data.population import flat, steps
from pathnet_evo.store.schema import SCHEMA

SHAPE = PathShape(layers=3, modules=6, width=2)


def strategies() -> dict[str, str]:
    found: dict[str, Any] = {}
    builtin.register_strategies(found.__setitem__)
    return found


def evolved(name: str, evaluations: int = 90) -> tuple[History, Strategy]:
    """A strategy at work on random fitnesses, some of them failed, and its history."""
    module, _, cls = strategies()[name].partition(":")
    strategy = getattr(import_module(module), cls)(SHAPE, random.Random(1), population=8)
    initial = [[list(row) for row in genotype] for genotype in strategy.population]
    rng = random.Random(2)
    told: list[Told] = []
    replaced: dict[int, list[Replaced]] = {}
    while len(told) < evaluations:
        for candidate in strategy.ask(2):
            fitness = None if rng.random() < 0.1 else rng.random()
            number, generation = len(told), strategy.generation
            strategy.tell(Evaluation(candidate, fitness))
            rows = json.dumps(candidate.genotype)
            slot = candidate.slot
            told.append(Told(generation, candidate.id, slot, rows, candidate.parent, fitness, 1))
            found = [
                Replaced(
                    r.winner,
                    r.loser,
                    [list(c) for c in r.changes],
                    r.origin and [*map(list, r.origin)],
                )
                for r in strategy.take_replacements()
            ]
            if found:
                replaced[number] = found
    nothing = ((),) * SHAPE.layers
    history = History(
        0, SHAPE.counts, initial, nothing, None, None, None, 99, False, None, told, replaced, []
    )
    return history, strategy


def replay(history: History) -> list[list[int]]:
    """The population at the end, by the rules that ``Step`` gives."""
    slots = [flat(rows) for rows in history.initial]
    size = len(slots[0])
    for _, changes in steps(history):
        i = 0
        while i < len(changes):
            winner, loser, n = changes[i : i + 3]
            i += 3
            if winner == -2:
                continue
            if winner < 0:
                slots[loser] = changes[i : i + size]
                i += size
                continue
            slots[loser] = list(slots[winner])
            for k in range(i, i + 2 * n, 2):
                slots[loser][changes[k]] = changes[k + 1]
            i += 2 * n
    return slots


@pytest.mark.parametrize("name", sorted(strategies()))
def test_differences_replay_the_population(name: str) -> None:
    """The animation would show paths that were never in the population."""
    history, strategy = evolved(name)
    found = replay(history)
    redrawn = {
        r.loser for n in range(60, 90) for r in history.replaced.get(n, []) if r.winner is None
    }
    for slot, genotype in enumerate(strategy.population):
        if slot not in redrawn:  # what is drawn anew is known once it was evaluated
            assert found[slot] == flat([list(row) for row in genotype]), slot


def test_a_genealogy_is_a_line_of_parents() -> None:
    """The winner would be given ancestors that it does not have."""
    history, _ = evolved("binary-tournament")
    line = genealogy(history)
    best = max(t.fitness for t in history.told if t.fitness is not None)
    assert line[-1].fitness == best
    for older, younger in pairwise(line):
        child = history.told[younger.evaluation]
        assert child.parent == history.told[older.evaluation].candidate
        rows = json.loads(history.told[older.evaluation].genotype)
        for layer, gene, before, after in younger.changes:
            assert rows[layer][gene] == before
            rows[layer][gene] = after
        assert rows == json.loads(child.genotype)
    assert history.told[line[0].evaluation].parent is None


def test_trailing_means() -> None:
    """Curves would lag, lead or break at failed evaluations."""
    assert trailing_means([1.0, 2.0, None, 6.0], 2) == [1.0, 1.5, 2.0, 6.0]
    assert trailing_means([None, 1.0], 2) == [None, 1.0]


def test_curves_of_seeds_that_count_differently() -> None:
    """Returns at one number of frames would be averaged with those at another."""
    found = curve({0: ([10, 20, 30], [1.0, 2.0, 3.0]), 1: ([15, 25], [5.0, 6.0])})
    assert found.x == [10, 15, 20, 25, 30]
    assert found.seeds[1] == [None, 5.0, 5.0, 6.0, None]
    assert found.mean == [None, 3.0, 3.5, 4.0, None]


def test_long_curves_are_thinned_and_keep_their_end() -> None:
    """A page of 100,000 evaluations would be too large to open, or would not show the outcome."""
    n = 100_000
    found = curve({seed: (range(1, n + 1), [float(i) for i in range(n)]) for seed in range(3)})
    assert len(found.x) <= POINTS + 1
    assert found.x[-1] == n
    assert found.mean[-1] == found.low[-1] == n - 1


def test_games_are_drawn_by_frames(tmp_path: Path, made_up: SimpleNamespace) -> None:
    """A game's curve would be drawn against evaluations, of which it may not have had one yet."""
    made_up.toml(tmp_path, 1, ["pathnet"], stages=1)
    made_up.lineage(tmp_path, made_up.episodes(0))
    (view,) = read_report_data(tmp_path).views
    assert view.counted == "frames"
    xs, returns = view.line()
    assert (xs[0], xs[-1]) == (20, 800)
    assert returns[-1] == pytest.approx(sum(range(20, 40)) / 20)


def test_modules_of_a_path(tmp_path: Path, made_up: SimpleNamespace) -> None:
    """The picture would show modules as new that were reused, or the other way round."""
    made_up.two_arms(tmp_path, [0.1])
    data = read_report_data(tmp_path)
    first, second = data.paths
    assert [first.role(0, m) for m in range(4)] == ["new", "new", "unused", "unused"]
    assert [second.role(0, m) for m in range(4)] == ["frozen", "reused", "new", "unused"]
    assert second.earlier == (made_up.first,)
    assert second.frozen_after == ((0, 1, 2), (0, 2, 3))


def test_module_usage_counts_evaluations(tmp_path: Path, made_up: SimpleNamespace) -> None:
    """Bars would show something else than how often a module was used."""
    made_up.two_arms(tmp_path, [0.1])
    (first, *_) = read_report_data(tmp_path).usage
    assert first.shares == ((1.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 1.0))


def test_layers_that_grew_differently_are_all_counted(
    tmp_path: Path, made_up: SimpleNamespace
) -> None:
    """A run whose layers grow would end in a traceback instead of a report."""
    made_up.toml(tmp_path, 2, ["pathnet"])
    records = []
    for seed, counts in enumerate([(9, 4), (4, 10)]):
        started, *others = made_up.stage(seed, 0, [0.5], {0: 0.5})
        began = replace(made_up.started(seed), seed=seed)
        records += [began, replace(started, counts=counts), *others]
    made_up.lineage(tmp_path, records)
    (usage,) = read_report_data(tmp_path).usage
    assert [len(layer) for layer in usage.shares] == [9, 10]


def test_what_stages_began_with_over_seeds() -> None:
    """The page would not tell why a path was copied, or tell of one seed as if of all."""
    db = sqlite3.connect(":memory:")
    db.executescript(SCHEMA)
    fresh = {"columns": [], "starts": [["fresh", [[0]]]], "prior": None}
    prior = {"examples": 100, "raw": 0.25, "random": 0.5, "stages": {"0": 0.75}}
    copied = {"columns": [0], "starts": [["copies of stage 0", [[0]]]], "prior": prior}
    tried = {"episodes": 30, "random": 2.0, "stages": {"0": 7.0}}
    other = {**tried, "random": 3.0, "stages": {"0": 9.0}}
    for trial, data in enumerate(
        [
            {**copied, "prior": {**prior, "stages": {"0": 0.25}}, "tried": tried},
            {**copied, "tried": None},
            {**fresh, "tried": other},
        ]
    ):
        db.execute("INSERT INTO trials VALUES (?, 'pathnet', ?, 'finished', NULL)", (trial, trial))
        values = (trial, 1, -1, -1, "transfer", json.dumps(data))
        db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", values)
    (begun,) = read_beginnings(db, 2)
    assert begun.has_fitted == "unknown", "earlier versions do not say"
    for trial, fitted in enumerate([True, False, True]):
        size = json.dumps({"parameters": 1, "fitted_readout": fitted})
        values = (trial, 1, 9, 1, "network", size)
        db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", values)
    (begun,) = read_beginnings(db, 2)
    assert begun.has_fitted == "yes (2 of 3 seeds)"
    assert (begun.arm, begun.stage, begun.examples) == ("pathnet", 1, 100)
    assert begun.accuracies == {"raw": 0.25, "random": 0.5, "stage 1": 0.5}
    assert (begun.episodes, begun.returns) == (30, {"random": 2.5, "stage 1": 8.0})
    assert begun.listens_to == "stage 1 (2 of 3 seeds)"
    assert begun.starts_as == "copies of stage 1 (2 of 3 seeds), fresh (1 of 3 seeds)"
    with pytest.raises(ValueError, match="stage 1 of 1"):
        read_beginnings(db, 1)
