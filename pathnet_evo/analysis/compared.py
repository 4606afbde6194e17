"""A comparison of runs: plain data that a notebook shows as tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pathnet_evo.analysis.significance import magnitude
from pathnet_evo.values.html import table
from pathnet_evo.values.names import on_one_line
from pathnet_evo.values.readable import NOTHING, shown, shown_interval
from pathnet_evo.values.stage_numbers import stage_title

COLUMNS = ("mean (95 % interval)", "effect A", "p", "p (Holm)", "test")
"""What is said of a difference."""


class Comparison(dict[str, Any]):
    """What ``compare_runs`` returns: a dictionary, which a notebook shows as tables."""

    def __repr__(self) -> str:
        """Its runs, stages and tests, on one line."""
        runs = ", ".join(run["run"] for run in self["runs"])
        tests = sum(len(stage["tests"]) for stage in self["stages"])
        return on_one_line(f"<Comparison of {runs}: {len(self['stages'])} stages, {tests} tests>")

    def _repr_html_(self) -> str:
        tables = [(stage_title(s["stage"], s["name"]), s["tests"]) for s in self["stages"]]
        if self["continual_tests"]:
            tables.append(("all stages", self["continual_tests"]))
        return "".join(
            table(
                ("difference", "score", *COLUMNS),
                (
                    (f"{test['a']} minus {test['b']}", test["score"].replace("_", " "), *said(test))
                    for test in against_references(self, tests)
                ),
                title,
            )
            for title, tests in tables
        )


def against_references(
    found: Mapping[str, Any], tests: Iterable[Mapping[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    """Those tests that compare an entry with its reference, as the entry minus its reference.

    Args:
        found: the comparison.
        tests: a stage's, or those over all stages.
    """
    wanted = {(e["entry"], e["reference"]) for e in found["entries"]}
    for test in tests:
        if test["mean"] is None:
            continue
        if (test["a"], test["b"]) in wanted:
            yield test
        elif (test["b"], test["a"]) in wanted:
            yield reversed_test(test)


def reversed_test(test: Mapping[str, Any]) -> dict[str, Any]:
    """The same test of b minus a."""
    interval, effect = test["interval"], test["effect"]
    return {
        **test,
        "a": test["b"],
        "b": test["a"],
        "n": test["n"] if test["paired"] else test["n"][::-1],
        "seeds": {k: None if v is None else -v for k, v in test["seeds"].items()},
        "mean": None if test["mean"] is None else -test["mean"],
        "interval": interval and [-end for end in reversed(interval)],
        "effect": None if effect is None else 1 - effect,
    }


def said(test: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    """A difference in words, column by column; see ``COLUMNS``."""
    score, interval = test["score"], test["interval"]
    mean = shown(test["mean"], score, sign=True)
    if interval:
        mean = f"{mean} ({shown_interval(interval, score, sign=True)})"
    effect = test["effect"]
    size = NOTHING if effect is None else f"{effect:.2f} {magnitude(effect)}"
    return mean, size, _p(test["p"]), _p(test["p_holm"]), used(test)


def used(test: Mapping[str, Any]) -> str:
    """The test, on how many seeds, and where the interval is from."""
    seeds = (
        f"{test['n']} pairs of seeds" if test["paired"] else "{} and {} seeds".format(*test["n"])
    )
    name = f"{test['test']}, {seeds}"
    return f"{name}; interval: {test['interval_from']}" if test["interval_from"] else name


def cannot_tell(tests: Iterable[Mapping[str, Any]]) -> str:
    """A sentence if tests have too few seeds for any p value below 0.05, or an empty text."""
    least = [test["least_p"] for test in tests if test["least_p"] is not None]
    if not least or min(least) <= 0.05:
        return ""
    return (
        f"With so few seeds, no rank test has a p value below {min(least):.2g}; six pairs of seeds "
        "can reach 0.03."
    )


def _p(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2g}"
