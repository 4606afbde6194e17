"""Intervals and p-values, held against scipy.stats."""

from __future__ import annotations

import pytest
from scipy import stats

from pathnet_evo.analysis.statistics import SHARE, mean_interval, paired_p


def test_interval_is_student_t() -> None:
    """Intervals in every report would be wrong."""
    values = [0.31, 0.36, 0.29, 0.40, 0.35]
    mean, interval = mean_interval(values)
    wanted = stats.t.interval(0.95, 4, loc=sum(values) / 5, scale=stats.sem(values))
    assert mean == pytest.approx(sum(values) / 5)
    assert interval == pytest.approx(wanted)
    assert mean_interval([0.3]) == (0.3, None)
    assert mean_interval([]) == (None, None)


def test_an_accuracy_is_no_more_than_all() -> None:
    """Readers would be told of accuracies of 251 % and of less than none."""
    low, high = mean_interval([0.58, 0.86])[1] or ()
    assert low < 0
    assert high > 1
    assert mean_interval([0.58, 0.86], SHARE)[1] == [0, 1]


def test_p_value_is_the_paired_t_test() -> None:
    """A difference between arms would be called significant, or not, by mistake."""
    a, b = [0.31, 0.36, 0.29, 0.40], [0.30, 0.31, 0.30, 0.33]
    wanted = stats.ttest_rel(a, b).pvalue
    assert paired_p([x - y for x, y in zip(a, b, strict=True)]) == pytest.approx(wanted)
    assert paired_p([0.1]) is None
    assert paired_p([0.1, 0.1, 0.1]) is None
