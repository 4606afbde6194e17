"""The results of a run in plain sentences, which claim no more than the seeds support."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import cast

from pathnet_evo.analysis.speed_up import CONTROL
from pathnet_evo.analysis.statistics import mean_interval
from pathnet_evo.interfaces.summary import (
    ArmComparison,
    ArmStage,
    ArmSummary,
    NotFinite,
    OverSeeds,
    StageSummary,
    Summary,
)
from pathnet_evo.report.speeds import speed_sentence
from pathnet_evo.values.readable import shown, shown_interval
from pathnet_evo.values.stage_numbers import stage_number

FEW = 5
"""Number of similar values to list."""
MANY = 4
"""A brief summary of more stages than this has no sentence about each."""


def costs_of(arm: ArmSummary) -> list[float | None]:
    """What an arm's networks cost: parameters and multiply-adds, means over stages; and growth.

    Growth is the increase of all stored parameters per stage after the first.
    """
    found = []
    for what, stages in (
        ("parameters", arm["stages"]),
        ("multiply_adds", arm["stages"]),
        ("growth", arm["stages"][1:]),
    ):
        means = [of["mean"] for stage in stages if (of := _quantity(stage, what))]
        known = [mean for mean in means if mean is not None]
        found.append(sum(known) / len(known) if known else None)
    return found


def _quantity(stage: ArmStage, name: str) -> OverSeeds | None:
    """One of a stage's quantities, if the summary has it."""
    return cast("OverSeeds | None", stage.get(name))


def sentences(summary: Summary, arm: str, brief: bool = False) -> list[str]:
    """The results of one arm, stage by stage: comparisons, speed-up and forgetting.

    Args:
        summary: the result of ``summarise``.
        arm: the arm, such as ``pathnet``.
        brief: compare with a single control, ``independent`` if there is one; of many stages, only
            what holds for all.
    """
    found = []
    if not brief or len(summary["stages"]) <= MANY:
        found = [s for stage in summary["stages"] for s in _stage(summary, stage, arm, brief)]
    found[:0] = [*_headline(summary, arm), *_standing(summary, arm)]
    found += _forgetting(summary, brief)
    if not found:
        return ["No stage is finished yet, so there is nothing to compare."]
    if summary["state"] != "finished":
        found.insert(0, f"The run has not finished ({summary['state']}); results so far:")
    return found


def promises(summary: Summary, failed: int) -> list[str]:
    """Caveats of a run that did not keep every promise.

    Args:
        summary: the result of ``summarise``.
        failed: number of failed evaluations.
    """
    found = []
    trials = [trial for arm in summary["arms"].values() for trial in arm["trials"]]
    stopped = sum(trial["state"] == "stopped" for trial in trials)
    if stopped:
        found.append(
            f"The run was ended early: {stopped} of {len(trials)} trials did not use their budget."
        )
    if summary["deterministic"] is False:
        found.append(
            "Evaluations ran side by side, so repeating the run does not give identical results."
        )
    if failed:
        found.append(f"{failed} evaluation{'s' if failed > 1 else ''} failed; see Trials.")
    return found + not_finite(summary["not_finite"])


def not_finite(found: Sequence[NotFinite]) -> list[str]:
    """A sentence per kind of non-finite value, for the first few.

    Args:
        found: a summary's ``not_finite``.
    """
    told = [
        f"Not finite, so excluded from means, curves and tests: {one['what']} "
        f"({', '.join(one['values'])}"
        f"{', {} times'.format(one['count']) if one['count'] > 1 else ''}) of {one['arm']}, "
        f"seed {one['seed']}, stage {stage_number(one['stage'])}."
        for one in found[:FEW]
    ]
    more = f"{len(found) - FEW} more values are not finite; see summary.json."
    return told + ([more] if found[FEW:] else [])


MEANT = {CONTROL: "the same network from scratch", "fine-tuning": "fine-tuning"}
"""The controls that a headline mentions, in words."""


def _headline(summary: Summary, arm: str) -> list[str]:
    """The headline: did later tasks benefit from earlier ones?"""
    done = [s for s in summary["stages"][1:] if _score(summary, arm, s["stage"], s["score"])]
    if not done or arm in MEANT:
        return []
    if len({stage["score"] for stage in done}) > 1:
        done = done[-1:]
    numbers, score = [stage["stage"] for stage in done], done[-1]["score"] or ""
    said = []
    for control, meant in MEANT.items():
        mean, interval = _gain(summary, numbers, score, arm, control)
        if mean is not None:
            said.append(_verdict(mean, interval, score, meant))
    if not said:
        return []
    what = done[0]["name"] if len(done) == 1 else f"the {len(done)} stages after the first"
    text = f"{arm} learned {what} {' and '.join(said)}"
    lost = _lost_by_stage(summary, arm)
    if lost and not any(value for seeds in lost.values() for value in seeds.values()):
        text += ", and forgot nothing"
    return [text + "."]


def _standing(summary: Summary, arm: str) -> Iterator[str]:
    """How the arm compares on the mean over all tasks at the end of the run (ACC)."""
    ours = summary["arms"][arm].get("continual")
    if ours is None or ours["acc"]["mean"] is None or arm in MEANT:
        return
    score, said = ours["score"], []
    for control, meant in MEANT.items():
        theirs = summary["arms"][control].get("continual") if control in summary["arms"] else None
        if theirs is None:
            continue
        mean, interval = mean_interval(_pairs(ours["acc"], theirs["acc"]))
        if mean is not None:
            lost = theirs["bwt"]["mean"] or 0
            size = shown(lost, score, sign=True).lstrip("-")
            forgot = f", which lost {size} on earlier tasks" if lost < 0 else ""
            said.append(_verdict(mean, interval, score, meant) + forgot)
    reached, tasks = shown(ours["acc"]["mean"], score), len(ours["matrix"])
    text = f"At the end of the run, {arm} averages {reached} over all {tasks} tasks"
    yield ": ".join([text, *([" and ".join(said)] if said else [])]) + "."


def _pairs(a: OverSeeds, b: OverSeeds) -> list[float]:
    """Differences of two quantities by seed."""
    both = ((value, b["seeds"].get(seed)) for seed, value in a["seeds"].items())
    return [x - y for x, y in both if x is not None and y is not None]


def _gain(
    summary: Summary, stages: Sequence[int], score: str, arm: str, control: str
) -> tuple[float | None, Sequence[float] | None]:
    """By how much an arm is above a control, on average over some stages that have one score."""
    differences: dict[str, list[float]] = {}
    for one in summary["comparisons"]:
        here = one["stage"] in stages and one["score"] == score
        if here and {one["arm"], one["control"]} == {arm, control}:
            sign = 1 if one["arm"] == arm else -1
            for seed, value in one["seeds"].items():
                if value is not None:
                    differences.setdefault(seed, []).append(sign * value)
    whole = [sum(d) / len(d) for d in differences.values() if len(d) == len(stages)]
    return mean_interval([value for value in whole if math.isfinite(value)])


def _verdict(mean: float, interval: Sequence[float] | None, score: str, meant: str) -> str:
    """How an arm compares with a control, in a few words."""
    difference = shown(mean, score, sign=True)
    if interval is None:
        word = "better" if mean > 0 else "worse" if mean < 0 else "as well"
        than = "as" if word == "as well" else "than"
        return f"{word} {than} {meant} ({difference}; a single seed, so this may be chance)"
    span = f"{difference}, 95 % interval {shown_interval(interval, score, sign=True)}"
    if interval[0] > 0:
        return f"better than {meant} ({span})"
    if interval[1] < 0:
        return f"worse than {meant} ({span})"
    return f"about as well as {meant} ({span})"


def _stage(summary: Summary, stage: StageSummary, arm: str, brief: bool) -> Iterator[str]:
    i, score = stage["stage"], stage["score"] or ""
    ours = _score(summary, arm, i, score)
    if ours is None:
        return
    where = f"Stage {_place(stage)}: "
    others = [
        c
        for c in summary["comparisons"]
        if (c["stage"], c["score"]) == (i, score) and arm in (c["arm"], c["control"])
    ]
    others.sort(key=lambda c: CONTROL not in (c["arm"], c["control"]))
    reached = f"{arm} reached {_with_interval(ours, score)} {_words(score)}"
    if not others:
        yield where + reached + "; the run has no control to compare it with."
    for n, comparison in enumerate(others[:1] if brief else others):
        start = where + reached if n == 0 else where + arm
        yield start + _against(summary, comparison, arm)
    for speed in summary["speed_up"].get(arm, []):
        if speed["stage"] == i and speed["seeds"]:
            yield where + speed_sentence(speed, arm)


def _against(summary: Summary, comparison: ArmComparison, arm: str) -> str:
    """The rest of a sentence that begins with the arm."""
    score = comparison["score"]
    turned = comparison["control"] == arm
    other = comparison["arm" if turned else "control"]
    sign = -1 if turned else 1
    mean = sign * comparison["mean"] if comparison["mean"] is not None else None
    interval = comparison["interval"] and sorted(sign * end for end in comparison["interval"])
    theirs = _score(summary, other, comparison["stage"], score)
    text = f" against {other}'s {shown(theirs and theirs['mean'], score)}"
    text += f"; the difference is {shown(mean, score, sign=True)}"
    if mean is None:
        return text + " (unknown)."
    if interval is None:
        return text + ". A single seed gives no interval, so this may be chance."
    p = "" if comparison["p"] is None else f", paired t test p = {comparison['p']:.2g}"
    span = shown_interval(interval, score, sign=True)
    text += f" (95 % interval {span}, {comparison['n']} seeds{p})"
    if interval[0] > 0:
        return text + f": {arm} is better."
    if interval[1] < 0:
        return text + f": {other} is better."
    return text + ": these seeds do not tell the two apart."


def _forgetting(summary: Summary, brief: bool) -> Iterator[str]:
    for arm in summary["arms"]:
        lost = _lost_by_stage(summary, arm)
        values = [value for seeds in lost.values() for value in seeds.values()]
        start = f"After the last stage, {arm}"
        if len(lost) > 1 and not any(values):
            yield (
                f"{start} scores exactly the same on all {len(lost)} earlier stages as before: "
                "it forgot nothing."
            )
        elif brief and len(lost) > MANY:
            names = {stage["score"] or "" for stage in summary["stages"][:-1]}
            if len(names) == 1:
                size = _change(sum(values) / len(values), *names)
                yield f"{start} has {size} on average over {len(lost)} earlier stages."
        else:
            for i, seeds in lost.items():
                stage = summary["stages"][i]
                if any(seeds.values()):
                    mean = sum(seeds.values()) / len(seeds)
                    size = _change(mean, stage["score"] or "")
                    yield f"{start} has {size} on stage {_place(stage)}."
                else:
                    yield (
                        f"{start} scores exactly the same on stage {_place(stage)} as before: "
                        "it forgot nothing."
                    )


def _change(lost: float, score: str) -> str:
    size = shown(abs(lost), score, sign=True).lstrip("+")
    return f"{'lost' if lost > 0 else 'gained'} {size} of {_words(score)}"


def _lost_by_stage(summary: Summary, arm: str) -> dict[int, dict[str, float]]:
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


def _score(summary: Summary, arm: str, stage: int, score: str | None) -> OverSeeds | None:
    found = summary["arms"][arm]["stages"][stage]["scores"].get(score or "")
    return found if found is not None and found["mean"] is not None else None


def _with_interval(found: OverSeeds, score: str) -> str:
    text = shown(found["mean"], score)
    if found["interval"] is None:
        return text
    return f"{text} (95 % interval {shown_interval(found['interval'], score)})"


def _place(stage: StageSummary) -> str:
    """A stage's number and name; names need not be unique."""
    return f"{stage_number(stage['stage'])}, {stage['name']}"


def _words(name: str) -> str:
    return name.replace("_", " ")
