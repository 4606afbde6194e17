"""A run's scores as an HTML table, for notebooks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pathnet_evo.interfaces.summary import Summary
from pathnet_evo.values.html import table
from pathnet_evo.values.readable import shown, shown_interval
from pathnet_evo.values.stage_numbers import stage_title


def overview(summary: Summary, name: object) -> str:
    """Each arm's main score on each stage, right after it and at the end of the run.

    Args:
        summary: what came out.
        name: of the run, such as its folder.
    """
    head = ("arm", *(stage_title(s["stage"], s["name"]) for s in summary["stages"]))
    seeds = len(summary["seeds"])
    what = f"{name} ({summary['state']}, {seeds} seed{'s' * (seeds != 1)}): scores after each stage"
    return table(head, ((arm, *_scores(summary, arm)) for arm in summary["arms"]), what)


def _scores(summary: Summary, arm: str) -> Iterator[str]:
    """The main score of each stage, with its interval and what was forgotten."""
    found: list[Any] = [*summary["arms"][arm]["stages"]]
    for stage, result in zip(summary["stages"], found, strict=True):
        score = stage["score"] or ""
        measured = result["scores"].get(score)
        if measured is None:
            yield ""
            continue
        text = shown(measured["mean"], score)
        if measured["interval"]:
            text += f" ({shown_interval(measured['interval'], score)})"
        lost = result["forgetting"].get(score)
        if lost is not None and lost["mean"]:
            text += f"; {shown(-lost['mean'], score, sign=True)} by the end"
        yield text
