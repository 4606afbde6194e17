"""Tests of two arms, compared with worked examples and with counting by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pathnet_evo.analysis.significance import difference, holm, magnitude, skewed_statistic
from pathnet_evo.analysis.statistics import ANY, SHARE, difference_statistic


def by_seed(values: Sequence[float], first: int = 0) -> dict[int, float]:
    """Values by seed, from ``first`` on."""
    return dict(enumerate(values, first))


@pytest.mark.parametrize(
    ("raw", "corrected"),
    [
        # Worked by hand: the multiple by the number of tests left, the largest so far, at most 1.
        ([0.01, 0.02, 0.03], [0.03, 0.04, 0.04]),
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.6, 0.9], [1.0, 1.0]),
        ([0.02, None, 0.01], [0.02, None, 0.02]),
        ([None], [None]),
    ],
)
def test_holm(raw: list[float | None], corrected: list[float | None]) -> None:
    """Several tests would be told as if each were the only one."""
    assert holm(raw) == pytest.approx(corrected)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.001, 0.999))
def test_holm_rejects_what_stepping_down_rejects(raw: list[float], level: float) -> None:
    """A corrected p value would not mean what Holm (1979) proved."""
    rejected: set[int] = set()
    for step, i in enumerate(sorted(range(len(raw)), key=raw.__getitem__)):
        if raw[i] * (len(raw) - step) > level:
            break
        rejected.add(i)
    assert {i for i, p in enumerate(holm(raw)) if p is not None and p <= level} == rejected


def signed_rank_p(differences: Sequence[float]) -> float:
    """Wilcoxon's test by going through every choice of signs."""
    known = [d for d in differences if d]
    ranks = stats.rankdata([abs(d) for d in known])
    middle = sum(ranks) / 2
    seen = abs(sum(r for r, d in zip(ranks, known, strict=True) if d > 0) - middle)
    sums = [
        sum(r * s for r, s in zip(ranks, way, strict=True))
        for way in product((0, 1), repeat=len(known))
    ]
    return sum(abs(total - middle) >= seen - 1e-9 for total in sums) / len(sums)


@pytest.mark.parametrize(
    "differences",
    [
        [0.1, 0.2, 0.15, 0.3, -0.05],
        [0.1, 0.1, 0.1, 0.1, 0.1, 0.1],
        [0.02, -0.02, 0.04, 0.0, 0.06, 0.06, 0.08],
        [0.1 + 0.2 - 0.3, 0.0, 0.5, -0.25],
    ],
)
def test_wilcoxon_counts_signs(differences: list[float]) -> None:
    """Ties of accuracies, which differ by rounding, would change the p value."""
    other = [0.3 + 0.07 * i for i in range(len(differences))]
    ours = [o + d for o, d in zip(other, differences, strict=True)]
    found = difference(by_seed(ours), by_seed(other))
    rounded = [round(d, 9) for d in differences]
    assert found["test"] == "Wilcoxon signed-rank"
    assert found["p"] == pytest.approx(signed_rank_p(rounded))
    assert found["least_p"] == 2 / 2 ** len(differences)


def rank_sum_p(a: Sequence[float], b: Sequence[float]) -> float:
    """The Mann-Whitney U test by going through every choice of seeds."""
    both = [*a, *b]

    def u(chosen: set[int]) -> float:
        mine = [both[i] for i in chosen]
        others = [v for i, v in enumerate(both) if i not in chosen]
        return sum((x > y) + 0.5 * (x == y) for x in mine for y in others)

    middle = len(a) * len(b) / 2
    seen = abs(u(set(range(len(a)))) - middle)
    ways = [abs(u(set(way)) - middle) for way in combinations(range(len(both)), len(a))]
    return sum(w >= seen - 1e-9 for w in ways) / len(ways)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([0.5, 0.6, 0.9], [0.1, 0.55, 0.2, 0.3]),
        ([0.5, 0.5, 0.7, 0.9], [0.5, 0.4, 0.3]),
    ],
)
def test_mann_whitney_counts_choices(a: list[float], b: list[float]) -> None:
    """Runs of different seeds would be tested by an approximation for many."""
    found = difference(by_seed(a), by_seed(b, 100))
    assert found["test"] == "Mann-Whitney U"
    assert found["p"] == pytest.approx(rank_sum_p(a, b))
    assert found["least_p"] == pytest.approx(2 / math.comb(7, len(a)))


def test_the_effect_size_counts_pairs() -> None:
    """A would not be the chance that one arm's seed is above another's."""
    a, b = [0.5, 0.7, 0.7, 0.9], [0.6, 0.7, 0.2, 0.4]
    wins = sum((x > y) + 0.5 * (x == y) for x, y in product(a, b))
    assert difference(by_seed(a), by_seed(b))["effect"] == wins / 16
    assert difference(by_seed(b), by_seed(a))["effect"] == 1 - wins / 16


@pytest.mark.parametrize(
    ("effect", "word"),
    [(0.5, "negligible"), (0.56, "small"), (0.64, "medium"), (0.71, "large"), (0.29, "large")],
)
def test_an_effect_size_in_words(effect: float, word: str) -> None:
    """A small effect would be called large (Vargha and Delaney 2000, table 1)."""
    assert magnitude(effect) == word


def test_a_skewed_difference_has_a_bootstrap_interval() -> None:
    """Returns with one lucky seed would have the symmetric interval of a t test."""
    a, b = by_seed([1.0, 2.0, 1.5, 1.2, 30.0, 2.2]), by_seed([1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    found = difference(a, b, ANY)
    low, high = found["interval"]
    assert found["interval_from"] == "bootstrap"
    assert high - found["mean"] > 2 * (found["mean"] - low) > 0
    assert found["interval"] == difference(a, b, ANY)["interval"], "another draw, another interval"
    share = difference({k: v / 100 for k, v in a.items()}, b, SHARE)
    assert share["interval_from"] == "paired t"
    assert difference(by_seed([1.0, 2.0]), by_seed([0.5, 0.5]))["interval_from"] == "paired t"


def test_a_bootstrap_interval_covers_a_skewed_mean() -> None:
    """The interval would be too narrow to be one of 95 %."""
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(150):
        values = by_seed(rng.gamma(2.0, 5.0, 20).tolist())
        low, high = skewed_statistic(values)["interval"]
        covered += low <= 10.0 <= high
    assert covered > 0.87 * 150


@pytest.mark.parametrize("n", [2, 6])
def test_equal_and_enormous_values_end_in_no_warning(n: int) -> None:
    """A comparison would stop at arms that score the same, or at a game's largest number."""
    same = difference(by_seed([0.5] * n), by_seed([0.5] * n))
    assert (same["mean"], same["interval"], same["p"], same["t_p"]) == (0, [0, 0], 1, None)
    apart = difference(by_seed([0.5] * n), by_seed([0.25] * n, 100))
    assert (apart["interval"], apart["t_p"]) == ([0.25, 0.25], None)
    huge = difference(by_seed([1e308, -1e308] * n), by_seed([-1e308, 1e308] * n))
    assert huge["t_p"] is None or huge["t_p"] > 0.1


RETURNS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8)


@settings(deadline=None, max_examples=50)
@given(RETURNS, RETURNS, st.sampled_from([0, 100]), st.sampled_from([(8.0, 300.0), SHARE]))
def test_an_interval_of_a_difference_has_its_mean(
    a: list[float], b: list[float], first: int, within: tuple[float, float]
) -> None:
    """Test returns beyond the training returns would have a mean of 390 in [292, 292]."""
    found = difference(by_seed(a), by_seed(b, first), within)
    slack = 1e-9 * max(1.0, abs(found["mean"]))
    if found["interval"] is not None:
        low, high = found["interval"]
        assert low - slack <= found["mean"] <= high + slack
    paired = difference_statistic(by_seed(a), within)
    if paired["interval"] is not None:
        low, high = paired["interval"]
        assert low - 1e-3 <= paired["mean"] <= high + 1e-3


def test_differences_beyond_observed_bounds() -> None:
    """The reported fault itself: six seeds, all differences between 380 and 400."""
    ours, theirs = (
        by_seed([500.0 - i for i in range(6)]),
        by_seed([100.0 + 3 * i for i in range(6)]),
    )
    found = difference(ours, theirs, (8.0, 300.0))
    assert found["mean"] == 390
    assert 380 < found["interval"][0] < 390 < found["interval"][1] <= 400
