"""Outcomes of runs as tables on standard output."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from pathnet_evo.analysis.compared import COLUMNS, against_references, said
from pathnet_evo.analysis.sweep import in_order, value_text
from pathnet_evo.cli.layout import show
from pathnet_evo.cli.terminal import cell, say
from pathnet_evo.interfaces.summary import SpeedUp, StageSummary, Summary
from pathnet_evo.report.speeds import area_gain, speed_up
from pathnet_evo.report.words import costs_of, not_finite
from pathnet_evo.values.readable import shown, shown_interval, times
from pathnet_evo.values.stage_numbers import stage_title

NONE: dict[str, Any] = {"mean": None, "interval": None}
"""What was not measured."""


def results(summary: Summary) -> None:
    """Print each arm's score, speed-up and forgetting for every finished stage."""
    speeds = [speed for found in summary["speed_up"].values() for speed in found]
    areas = any(speed["mean"] is None and area_gain(speed) for speed in speeds)
    gained = ["area gained"] if areas else []
    table = _plain(["stage", "arm", "score (95 % interval)", "speed-up", *gained, "forgotten"])
    for stage in summary["stages"]:
        for name, arm in summary["arms"].items():
            if stage["stage"] < len(arm["stages"]):
                table.add_row(*_row(summary, stage, name, arm["stages"][stage["stage"]], areas))
        table.add_section()
    show(table, labels=2)
    if any(arm.get("continual") for arm in summary["arms"].values()):
        say("")
        show(_over_all_tasks(summary))
    for text in not_finite(summary["not_finite"]):
        say(text)


def _over_all_tasks(summary: Summary) -> Table:
    """Each arm's metrics over all tasks, and what its networks cost."""
    titles = ["arm", "ACC (95 % interval)", "BWT", "FWT", "parameters", "multiply-adds", "growth"]
    table = _plain(titles)
    for name, arm in summary["arms"].items():
        found = arm.get("continual")
        if found:
            transfer = [shown(found[m]["mean"], found["score"], sign=True) for m in ("bwt", "fwt")]
            mean = _measured(dict(found["acc"]), found["score"])
            table.add_row(*map(cell, [name, mean, *transfer, *map(shown, costs_of(arm))]))
    return table


def transfers(matrix: dict[str, Any]) -> None:
    """Print each arm's speed-up on every target after every source."""
    for arm, found in matrix["arms"].items():
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column(cell(f"{arm}: after"))
        for target in matrix["targets"]:
            table.add_column(cell(target), justify="right")
        for source, row in zip(matrix["sources"], found["speed_up"], strict=True):
            table.add_row(*map(cell, [source, *("" if c is None else _speed_up(c) for c in row)]))
        show(table)
        say(f"mean {times(found['mean'])}\n")


def trials(found: dict[str, Any]) -> None:
    """Print the trials of a sweep: finished ones, best first, then the others."""
    table = _plain(["trial", "state", "score", *found["searched"]])
    for row in in_order(found):
        values = [value_text(row["values"][place]) for place in found["searched"]]
        table.add_row(*map(cell, [row["run"], row["state"], shown(row["score"]), *values]))
    show(table)


def _row(summary: Summary, stage: StageSummary, name: str, values: Any, areas: bool) -> list[Text]:
    score = stage["score"] or ""
    measured = values["scores"].get(score) or NONE
    forgotten = values["forgetting"].get(score)
    speeds = summary["speed_up"].get(name, [])
    fast = next((s for s in speeds if s["stage"] == stage["stage"]), None)
    cells = (
        stage_title(stage["stage"], stage["name"]),
        name,
        _measured(measured, score),
        "" if fast is None else _speed_up(fast),
        *(["" if fast is None else area_gain(fast)] if areas else []),
        "" if forgotten is None else shown(forgotten["mean"], score, sign=True),
    )
    return [cell(text) for text in cells]


def _measured(value: dict[str, Any], score: str) -> str:
    interval = shown_interval(value["interval"], score).replace(" % to", " to")
    if value["mean"] is None and value.get("seeds"):
        return "not finite"
    return shown(value["mean"], score) + (f" ({interval})" if interval else "")


def _speed_up(fast: SpeedUp) -> str:
    censored = f" ({fast['censored']} of {fast['n'] + fast['censored']} not reached)"
    return speed_up(fast) + (censored if fast["n"] and fast["censored"] else "")


def costs(stage: dict[str, Any]) -> Table:
    """A compared stage: the scores and costs of each entry."""
    scores = dict.fromkeys(name for r in stage["results"].values() for name in r["scores"])
    titles = ["", *(name.replace("_", " ") for name in scores), "seeds", "evaluations"]
    table = _plain([*titles, stage["unit"] or "examples", "seconds"])
    for entry, result in stage["results"].items():
        cells = [_measured(result["scores"].get(name) or NONE, name) for name in scores]
        used = [shown(result[what]["mean"]) for what in ("evaluations", "examples", "seconds")]
        table.add_row(*map(cell, [entry, *cells, str(result["evaluations"]["n"]), *used]))
    return table


def continual(found: dict[str, Any]) -> Table:
    """The metrics over all tasks of each entry of a comparison."""
    table = _plain(["", "ACC (95 % interval)", "BWT", "FWT", "forgetting", "seeds"])
    for entry, metrics in found.items():
        score = metrics["score"]
        rest = [shown(metrics[m]["mean"], score, sign=True) for m in ("bwt", "fwt", "forgetting")]
        acc = metrics["acc"]
        table.add_row(*map(cell, [entry, _measured(acc, score), *rest, str(acc["n"])]))
    return table


def differences(found: dict[str, Any], tests: list[dict[str, Any]]) -> Table:
    """Tests of a compared stage, or over all: each entry minus its reference."""
    table = _plain(["difference", "score", *COLUMNS])
    for test in against_references(found, tests):
        what = (f"{test['a']} minus {test['b']}", test["score"].replace("_", " "))
        table.add_row(*map(cell, (*what, *said(test))))
    return table


def _plain(titles: list[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(cell(title))
    return table
