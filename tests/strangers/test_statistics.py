"""What a reader of a report held against its numbers."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import brentq

from pathnet_evo.analysis.comparison import compare_runs
from pathnet_evo.analysis.statistics import (
    AMOUNT,
    SHARE,
    difference_statistic,
    mean_interval,
    statistic,
)
from pathnet_evo.analysis.summary import summarise
from pathnet_evo.cli import tables
from pathnet_evo.interfaces.evaluations import Episode
from pathnet_evo.interfaces.records import Record, TrialFinished, TrialStarted
from pathnet_evo.report.data import read_report_data


def student(values: list[float]) -> tuple[float, float, float]:
    """The mean and the ends of Student's t interval, from scipy."""
    mean = float(np.mean(values))
    low, high = stats.t.interval(0.95, len(values) - 1, loc=mean, scale=stats.sem(values))
    return mean, float(low), float(high)


@pytest.mark.parametrize(
    ("values", "within", "scale"),
    [
        ([47.0, 26.0, 60.0], AMOUNT, math.sqrt),
        ([3.1, 2.9, 3.6, 3.3], AMOUNT, math.sqrt),
        ([0.962, 0.951, 0.97, 0.949, 0.955], SHARE, lambda p: math.asin(math.sqrt(p))),
        ([0.5, 0.6, 0.4], SHARE, lambda p: math.asin(math.sqrt(p))),
    ],
)
def test_a_reader_computes_an_interval_again(values, within, scale):
    """Ends would not be what the delta method gives on the documented scale.

    The reference finds each end numerically: the point as far from the mean, on the scale, as the
    slope of the scale there says.
    """
    mean, low, _ = student(values)
    slope = (scale(mean + 1e-6) - scale(mean - 1e-6)) / 2e-6
    reach = slope * (mean - low)
    most = 1.0 if within == SHARE else 100 * mean
    wanted = [
        brentq(lambda x, way=way: scale(x) - scale(mean) - way * reach, *ends)
        for way, ends in ((-1, (0.0, mean)), (1, (mean, most)))
    ]
    assert mean_interval(values, within)[1] == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize(
    ("values", "within"),
    [
        ([-1e308, 1e308, 0.0], (-1e308, 1e308)),
        ([-1e308, 1e308, 0.0], (-math.inf, math.inf)),
        ([1e308, 1e308, 0.0], AMOUNT),
        ([1e200, 3e200], AMOUNT),
        ([1e-20, 2e-20], (0.0, 1e308)),
    ],
)
def test_a_game_had_enormous_returns(values, within):
    """A run would end without a report, or with ends that are no numbers or out of bounds."""
    mean, ends = mean_interval(values, within)
    assert ends is None or (
        max(within[0], -sys.float_info.max)
        <= ends[0]
        <= mean
        <= ends[1]
        <= min(within[1], sys.float_info.max)
    )


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.floats(0, 1e6), min_size=2, max_size=8),
    st.sampled_from([1.0, 1e6]),
)
def test_no_interval_leaves_what_a_quantity_can_be(values, most):
    """Seconds of less than nothing, or 103.7 % of all, would be given as possible."""
    share = most == 1.0
    values = [v / 1e6 for v in values] if share else values
    mean, interval = mean_interval(values, SHARE if share else AMOUNT)
    assert mean is not None
    assert interval is not None
    slack = 1e-9 * max(1.0, mean)
    assert 0 <= interval[0] <= mean + slack
    assert mean - slack <= interval[1] <= (1 if share else math.inf)


@pytest.mark.parametrize(
    ("within", "draw", "mean"),
    [
        (AMOUNT, lambda rng: rng.gamma(4.0, 10.0, 3), 40.0),
        (SHARE, lambda rng: rng.beta(24.0, 1.0, 5), 0.96),
    ],
)
def test_an_interval_still_covers_the_mean(within, draw, mean):
    """An interval that is bounded by being too narrow would claim a certainty nobody has."""
    rng = np.random.default_rng(0)
    ends = [mean_interval([*map(float, draw(rng))], within)[1] or [] for _ in range(2000)]
    covered = sum(low <= mean <= high for low, high in ends) / len(ends)
    assert covered > 0.9


def test_far_from_its_bounds_an_interval_is_students():
    """Numbers that never came near a bound would change without need."""
    values = [100.0, 101.0, 99.5, 100.4]
    assert mean_interval(values, AMOUNT)[1] == pytest.approx(student(values)[1:], rel=1e-3)


def test_a_difference_keeps_its_test_and_its_bounds():
    """A sentence would call an arm better against the p value beside it, or by 120 points."""
    close = {0: 0.02, 1: 0.05, 2: 0.03}
    found = difference_statistic(close, SHARE)
    assert found["interval"] == pytest.approx(student([*close.values()])[1:])
    wide = {0: 0.9, 1: 0.1}
    assert difference_statistic(wide, SHARE)["interval"] == [-1, 1]


def test_values_out_of_bounds_are_shown_as_they_are():
    """A damaged lineage with an accuracy of 1.5 would be a traceback."""
    found = statistic({0: 1.5, 1: 0.5, 2: -0.1}, SHARE)
    assert -0.1 <= found["interval"][0] <= found["mean"] <= found["interval"][1] <= 1.5


def scored(episode: Episode, score: float) -> Episode:
    """The same episode with another score."""
    return replace(episode, score=score)


def played(made_up: SimpleNamespace, folder: Path, control: float, lead: float = 0.0) -> Path:
    """A run of two arms and three seeds on a game that returns from 8 to 500.

    Args:
        made_up: what writes runs.
        folder: where; it is made.
        control: the score of every episode of the control.
        lead: by how much pathnet's test score exceeds the control's under the first seed; twice
            as much under the second, and three times under the third.
    """
    folder.mkdir()
    made_up.toml(folder, 3, ["pathnet", "independent"], stages=1)
    _, begun, _ = made_up.episodes(0)
    records: list[Record] = []
    for seed, held_out in enumerate((20.0, 480.0, 30.0)):
        for k, arm in enumerate(("pathnet", "independent")):
            trial = 2 * seed + k
            _, _, ended = made_up.episodes(trial)
            scores = [8.0, 500.0, *[60.0] * 38] if k == 0 else [control] * 40
            episodes = tuple(map(scored, ended.episodes, scores))
            done = made_up.stage(trial, 0, [], {})[-1]
            records += [
                TrialStarted(trial, arm, seed),
                replace(begun, trial=trial, random_baseline=22.0),
                replace(ended, episodes=episodes),
                replace(
                    done,
                    examples=begun.budget,
                    fitness=held_out,
                    seconds=(0.1, 9.0, 0.2)[seed],
                    scores={0: {"mean_return": held_out + lead * (seed + 1) * (k == 0)}},
                ),
                TrialFinished(trial, "finished"),
            ]
    made_up.lineage(folder, records)
    return folder


def test_a_reader_sees_returns_and_seconds_that_can_be(tmp_path, made_up):
    """CartPole would be said to return from -477 on, and to take less than no time."""
    folder = played(made_up, tmp_path / "run", control=9.0)
    summary = summarise(folder)
    stage = summary["arms"]["pathnet"]["stages"][0]
    spread = (20.0, 480.0, 30.0)
    assert student([*spread])[1] < 0, "Student's t alone would go below zero"
    (compared,) = compare_runs([folder])["stages"]
    results = compared["results"]["pathnet"]
    for found in (
        stage["scores"]["mean_return"],
        stage["fitness"],
        results["scores"]["mean_return"],
    ):
        assert found["mean"] == pytest.approx(np.mean(spread))
        assert 8 <= found["interval"][0] < 176 < found["interval"][1] <= 500
    for found in (summary["times"]["pathnet"][0]["seconds"], results["seconds"]):
        assert found["interval"][0] >= 0
    curve = read_report_data(folder).curve("pathnet", 0)
    assert all(low is None or low >= 8 for low in curve.low)


def test_a_reader_looks_for_ratios_in_the_column_of_ratios(tmp_path, made_up, capsys):
    """``-9.972 (no ratio)`` would stand under ``speed-up``."""
    summary = summarise(played(made_up, tmp_path / "run", control=9.0))
    (speed,) = summary["speed_up"]["pathnet"]
    assert speed["mean"] is None
    tables.results(summary)
    title, *rows = capsys.readouterr().out.splitlines()
    row = next(line for line in rows if "pathnet" in line)
    column = title.index("speed-up")
    assert row[column:].startswith("no ratio")
    assert row[title.index("area gained") :].startswith(f"{speed['difference']['mean']:+.4g}")


def test_where_all_areas_have_ratios_there_is_no_other_column(tmp_path, made_up, capsys):
    """Every table of games would carry a column that only some need."""
    summary = summarise(played(made_up, tmp_path / "run", control=40.0))
    assert summary["speed_up"]["pathnet"][0]["mean"] is not None
    tables.results(summary)
    assert "area gained" not in capsys.readouterr().out


def test_test_returns_beyond_those_of_training(tmp_path, made_up):
    """A difference of 1,200 would have an interval that ends at the 492 points seen in training."""
    folder = played(made_up, tmp_path / "run", control=9.0, lead=600.0)
    wanted = student([600.0, 1200.0, 1800.0])
    (one,) = summarise(folder)["comparisons"]
    assert (one["mean"], *one["interval"]) == pytest.approx(wanted)
    (test,) = compare_runs([folder])["stages"][0]["tests"]
    assert (test["mean"], *test["interval"]) == pytest.approx(wanted)
