"""Tests of two arms over seeds: rank tests, effect size, intervals, and Holm's correction."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from pathnet_evo.analysis.statistics import (
    ANY,
    SHARE,
    Range,
    average,
    cut,
    finite_values,
    statistic,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Values: TypeAlias = NDArray[np.float64]

RESAMPLES = 9999
"""Resamples of a bootstrap interval, and permutations of a rank test with ties."""
FEW = 5
"""The fewest values with a bootstrap interval: of fewer, it is too narrow."""
DIGITS = 12
"""Decimal digits to which ranked values are told apart, relative to the largest: differences of
accuracies tie, but for rounding."""
MAGNITUDES = ((0.71, "large"), (0.64, "medium"), (0.56, "small"))
"""Least A of each effect size, in words (Vargha and Delaney 2000, table 1)."""


def difference(
    a: Mapping[int, float], b: Mapping[int, float], within: Range = ANY
) -> dict[str, Any]:
    """Compare values by seed, a minus b; ``compare_runs`` lists the keys.

    Args:
        a: values by seed; non-finite ones are left out.
        b: values by seed.
        within: bounds of a value; the interval is clipped to possible differences. Bounds that were
            only observed are none.
    """
    a, b = ({s: v for s, v in of.items() if math.isfinite(v)} for of in (a, b))
    shared = sorted(a.keys() & b.keys())
    if len(shared) > 1:
        return _paired({seed: (a[seed], b[seed]) for seed in shared}, within)
    return _unpaired([*a.values()], [*b.values()], within)


def _paired(pairs: Mapping[int, tuple[float, float]], within: Range) -> dict[str, Any]:
    from scipy import stats

    n = len(pairs)
    ours, theirs = (_array(values) for values in zip(*pairs.values(), strict=True))
    seeds = {str(seed): mine - other for seed, (mine, other) in pairs.items()}
    values = _array(seeds.values())
    found: dict[str, Any] = {"paired": True, "n": n, "seeds": seeds}
    interval, p = _constant(values) or _t(lambda: stats.ttest_1samp(values, 0.0))
    ranked = _ranked(values)
    with _quiet():
        rank_p = float(stats.wilcoxon(ranked).pvalue) if ranked.any() else 1.0
    return {
        **found,
        "mean": average(values.tolist()),
        **_chosen(interval, "paired t", [values], within, seeds.values()),
        "t_test": "paired t",
        "t_p": p,
        "test": "Wilcoxon signed-rank",
        "p": _number(rank_p),
        "least_p": 2.0 ** (1 - n),
        "effect": _effect(ours, theirs),
    }


def _unpaired(a: Sequence[float], b: Sequence[float], within: Range) -> dict[str, Any]:
    from scipy import stats

    n = [len(a), len(b)]
    ours, theirs = _array(a), _array(b)
    found: dict[str, Any] = {"paired": False, "n": n, "seeds": {}}
    interval, p, rank_p = None, None, None
    apart = [max(a) - min(b), max(b) - min(a)] if all(n) else []
    if min(n) > 1:
        interval, p = _constant(ours, theirs) or _t(
            lambda: stats.ttest_ind(ours, theirs, equal_var=False)
        )
        rank_p = _rank_sum(ours, theirs)
    return {
        **found,
        "mean": average(a) - average(b) if all(n) else None,
        **_chosen(interval, "Welch's t", [ours, theirs], within, apart),
        "t_test": "Welch's t",
        "t_p": p,
        "test": "Mann-Whitney U",
        "p": rank_p,
        "least_p": 2 / math.comb(sum(n), n[0]) if min(n) > 1 else None,
        "effect": _effect(ours, theirs),
    }


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """P values corrected for their number (Holm 1979); None is no test, and not counted."""
    known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    most = 0.0
    for rank, (p, i) in enumerate(known):
        most = max(most, min((len(known) - rank) * p, 1.0))
        corrected[i] = most
    return corrected


def correct(tests: Sequence[dict[str, Any]]) -> None:
    """Add ``p_holm`` to each test: its ``p``, corrected for all of them."""
    for test, p_holm in zip(tests, holm([test["p"] for test in tests]), strict=True):
        test["p_holm"] = p_holm


def magnitude(effect: float) -> str:
    """An effect size A in words."""
    a = max(effect, 1 - effect)
    return next((word for least, word in MAGNITUDES if a >= least - 1e-12), "negligible")


def skewed_statistic(values: Mapping[int, float | None], within: Range = ANY) -> dict[str, Any]:
    """``statistic`` of a quantity that can be skewed, with a bootstrap interval from five values.

    Args:
        values: by seed; None and non-finite ones are left out.
        within: bounds of a value.

    Returns:
        That of ``statistic``, and ``interval_from``: ``bootstrap``, ``t``, or None.
    """
    found = statistic(values, within)
    interval = None
    if within != SHARE:
        interval = bootstrap_interval([_array(finite_values(values.values()))])
    if interval is not None:
        return {**found, "interval": interval, "interval_from": "bootstrap"}
    return {**found, "interval_from": found["interval"] and "t"}


def bootstrap_interval(samples: Sequence[Values]) -> list[float] | None:
    """95 % interval of a mean, or of a difference of two, by the bootstrap (BCa).

    None with fewer than ``FEW`` values, or if all are equal. Equal values give equal intervals.
    """
    import numpy as np
    from scipy import stats

    if min(map(len, samples)) < FEW:
        return None

    def mean(a: Values, b: Values | None = None, axis: int = -1) -> Any:
        return a.mean(axis) - (0.0 if b is None else b.mean(axis))

    with _quiet():
        ends = stats.bootstrap(
            samples, mean, n_resamples=RESAMPLES, method="BCa", rng=np.random.default_rng(0)
        ).confidence_interval
    interval = [float(ends.low), float(ends.high)]
    return interval if all(map(math.isfinite, interval)) else None


def _chosen(
    interval: list[float] | None,
    test: str,
    samples: Sequence[Values],
    within: Range,
    differences: Iterable[float],
) -> dict[str, Any]:
    """The interval to show, and where it is from; ``differences`` are possible ones."""
    if within != SHARE and (skewed := bootstrap_interval(samples)) is not None:
        interval, test = skewed, "bootstrap"
    return {"interval": cut(interval, within, differences), "interval_from": interval and test}


def _t(test: Any) -> tuple[list[float] | None, float | None]:
    """Interval and p value of a t test; None where numbers overflow."""
    with _quiet():
        found = test()
        ends = found.confidence_interval()
    interval = [float(ends.low), float(ends.high)]
    return (interval if all(map(math.isfinite, interval)) else None), _number(float(found.pvalue))


def _constant(*samples: Values) -> tuple[list[float], None] | None:
    """The interval of samples without variance, which no t test has."""
    means = [average(sample.tolist()) for sample in samples]
    with _quiet():
        spread = [abs(s - m).max() for s, m in zip(samples, means, strict=True)]
    if any(s > 1e-12 * max(abs(m), 1e-300) for s, m in zip(spread, means, strict=True)):
        return None
    mean = means[0] - (means[1] if len(means) > 1 else 0.0)
    return [mean, mean], None


def _rank_sum(a: Values, b: Values) -> float | None:
    """P value of the Mann-Whitney U test, exact for few seeds, with ties as well."""
    import numpy as np
    from scipy import stats

    both = _ranked(np.concatenate([a, b]))
    method: Any = "auto"
    if len(set(both.tolist())) < len(both):
        method = stats.PermutationMethod(n_resamples=RESAMPLES, rng=np.random.default_rng(0))
    with _quiet():
        found = stats.mannwhitneyu(both[: len(a)], both[len(a) :], method=method)
    return _number(float(found.pvalue))


def _effect(a: Values, b: Values) -> float | None:
    """Vargha and Delaney's A: the chance that a value of a exceeds one of b, ties counted half."""
    import numpy as np
    from scipy import stats

    if not (len(a) and len(b)):
        return None
    both = _ranked(np.concatenate([a, b]))
    u = stats.mannwhitneyu(both[: len(a)], both[len(a) :], method="asymptotic").statistic
    return float(u) / (len(a) * len(b))


def _ranked(values: Values) -> Values:
    """Values in which those that differ by rounding alone are equal; only their order counts."""
    import numpy as np

    most = float(abs(values).max()) if len(values) else 0.0
    with _quiet():
        return np.round(values / most, DIGITS) if most > 0 else values


def _array(values: Iterable[float]) -> Values:
    import numpy as np

    return np.array([*values], dtype=np.float64)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


@contextmanager
def _quiet() -> Iterator[None]:
    """Values without variance, and the largest numbers, are no reason for warnings."""
    import numpy as np

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield
