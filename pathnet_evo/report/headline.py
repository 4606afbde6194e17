"""The first sentences about a run: what later tasks gained, and how the arms stand at the end."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from pathnet_evo.analysis.arms import CONTROL
from pathnet_evo.analysis.significance import holm
from pathnet_evo.analysis.statistics import mean_interval, paired_p
from pathnet_evo.interfaces.summary import OverSeeds, Summary
from pathnet_evo.report.speeds import pace
from pathnet_evo.report.verdicts import correction, verdict
from pathnet_evo.values.readable import shown, shown_interval

MEANT = {CONTROL: "the same network from scratch", "fine-tuning": "fine-tuning"}
"""The controls that a headline mentions, in words; sentences about stages begin with them."""


def headline(summary: Summary, arm: str) -> list[str]:
    """The headline: did later tasks benefit from earlier ones?"""
    done = [s for s in summary["stages"][1:] if score_of(summary, arm, s["stage"], s["score"])]
    if not done or arm in MEANT:
        return []
    if len({stage["score"] for stage in done}) > 1:
        done = done[-1:]
    numbers, score = [stage["stage"] for stage in done], done[-1]["score"] or ""
    gains = {control: _gains(summary, numbers, score, arm, control) for control in MEANT}
    said = _verdicts(gains, score)
    if not said:
        return []
    if len(done) == 1 and CONTROL in said:
        speeds = summary["speed_up"].get(arm, [])
        paces = [pace(speed) for speed in speeds if speed["stage"] == numbers[0]]
        said[CONTROL] = ", ".join([said[CONTROL], *filter(None, paces)])
    what = done[0]["name"] if len(done) == 1 else f"the {len(done)} stages after the first"
    text = f"{arm} learned {what} {' and '.join(said.values())}"
    lost = lost_by_stage(summary, arm)
    if lost and not any(value for seeds in lost.values() for value in seeds.values()):
        text += ", and forgot nothing"
    return [text + "."]


def standing(summary: Summary, arm: str) -> Iterator[str]:
    """How the arm compares on the mean over all tasks at the end of the run (ACC)."""
    ours = summary["arms"][arm].get("continual")
    if ours is None or ours["acc"]["mean"] is None or arm in MEANT:
        return
    score = ours["score"]
    controls = {
        control: theirs
        for control in MEANT
        if control in summary["arms"] and (theirs := summary["arms"][control].get("continual"))
    }
    gains = {control: _pairs(ours["acc"], theirs["acc"]) for control, theirs in controls.items()}
    said = [
        text + _lost_on_earlier(controls[control]["bwt"]["mean"] or 0, score)
        for control, text in _verdicts(gains, score).items()
    ]
    reached, tasks = shown(ours["acc"]["mean"], score), len(ours["matrix"])
    text = f"At the end of the run, {arm} averages {reached} over all {tasks} tasks"
    yield ": ".join([text, *([" and ".join(said)] if said else [])]) + "."


def _lost_on_earlier(change: float, score: str) -> str:
    size = shown(change, score, sign=True).lstrip("-")
    return f", which lost {size} on earlier tasks" if change < 0 else ""


def _pairs(a: OverSeeds, b: OverSeeds) -> list[float]:
    """Differences of two quantities by seed."""
    both = ((value, b["seeds"].get(seed)) for seed, value in a["seeds"].items())
    return [x - y for x, y in both if x is not None and y is not None]


def _gains(
    summary: Summary, stages: Sequence[int], score: str, arm: str, control: str
) -> list[float]:
    """By how much an arm is above a control on average over stages that have one score, by seed."""
    differences: dict[str, list[float]] = {}
    for one in summary["comparisons"]:
        here = one["stage"] in stages and one["score"] == score
        if here and {one["arm"], one["control"]} == {arm, control}:
            sign = 1 if one["arm"] == arm else -1
            for seed, value in one["seeds"].items():
                if value is not None:
                    differences.setdefault(seed, []).append(sign * value)
    whole = [sum(d) / len(d) for d in differences.values() if len(d) == len(stages)]
    return [value for value in whole if math.isfinite(value)]


def _verdicts(gains: Mapping[str, Sequence[float]], score: str) -> dict[str, str]:
    """How an arm compares with each control, in a few words, corrected for the number of controls.

    Args:
        gains: by control of ``MEANT``, by how much the arm is above it under each seed.
        score: the score's name.
    """
    known = {control: values for control, values in gains.items() if values}
    corrected = holm([paired_p(values) for values in known.values()])
    return {
        control: _verdict(values, p_holm, score, MEANT[control])
        for (control, values), p_holm in zip(known.items(), corrected, strict=True)
    }


def _verdict(gains: Sequence[float], p_holm: float | None, score: str, meant: str) -> str:
    """How an arm compares with a control, in a few words."""
    mean, interval = mean_interval(gains)
    difference = shown(mean, score, sign=True)
    if interval is None:
        mean = mean or 0.0
        word = "better" if mean > 0 else "worse" if mean < 0 else "as well"
        than = "as" if word == "as well" else "than"
        return f"{word} {than} {meant} ({difference}; a single seed, so this may be chance)"
    span = f"{difference}, 95 % interval {shown_interval(interval, score, sign=True)}"
    sign, doubt = verdict(interval, p_holm)
    if not sign:
        return f"about as well as {meant} ({span})"
    why = f"; {correction(p_holm)}" if doubt and p_holm is not None else ""
    return f"{doubt}{'better' if sign > 0 else 'worse'} than {meant} ({span}{why})"


def lost_by_stage(summary: Summary, arm: str) -> dict[int, dict[str, float]]:
    """What an arm forgot of each stage that was scored again, by seed."""
    results = summary["arms"][arm]["stages"]
    found = {
        stage["stage"]: result["forgetting"].get(stage["score"] or "")
        for stage, result in zip(summary["stages"], results, strict=True)
    }
    return {
        i: {seed: value for seed, value in lost["seeds"].items() if value is not None}
        for i, lost in found.items()
        if lost is not None and lost["mean"] is not None
    }


def score_of(summary: Summary, arm: str, stage: int, score: str | None) -> OverSeeds | None:
    """An arm's test score right after a stage; None where it has none."""
    found = summary["arms"][arm]["stages"][stage]["scores"].get(score or "")
    return found if found is not None and found["mean"] is not None else None
