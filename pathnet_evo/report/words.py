"""The results of a run in plain sentences, which claim no more than the seeds support."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from pathnet_evo.analysis.arms import CONTROL
from pathnet_evo.interfaces.summary import (
    ArmComparison,
    ArmStage,
    ArmSummary,
    NotFinite,
    OverSeeds,
    StageSummary,
    Summary,
)
from pathnet_evo.report.headline import MEANT, headline, lost_by_stage, score_of, standing
from pathnet_evo.report.speeds import speed_sentence
from pathnet_evo.report.verdicts import correction, verdict
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
    found[:0] = [*headline(summary, arm), *standing(summary, arm)]
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


def _stage(summary: Summary, stage: StageSummary, arm: str, brief: bool) -> Iterator[str]:
    i, score = stage["stage"], stage["score"] or ""
    ours = score_of(summary, arm, i, score)
    if ours is None:
        return
    where = f"Stage {_place(stage)}: "
    others = [
        c
        for c in summary["comparisons"]
        if (c["stage"], c["score"]) == (i, score) and arm in (c["arm"], c["control"])
    ]
    others.sort(key=_rank)
    reached = f"{arm} reached {_with_interval(ours, score)} {_words(score)}"
    if not others:
        yield where + reached + "; the run has no control to compare it with."
    for n, comparison in enumerate(others[:1] if brief else others):
        start = where + reached if n == 0 else where + arm
        yield start + _against(summary, comparison, arm)
    for speed in summary["speed_up"].get(arm, []):
        if speed["stage"] == i and speed["seeds"]:
            yield where + speed_sentence(speed, arm)


def _rank(comparison: ArmComparison) -> tuple[bool, bool]:
    """Comparisons with the controls of the headline come first."""
    both = {comparison["arm"], comparison["control"]}
    return CONTROL not in both, both.isdisjoint(MEANT)


def _against(summary: Summary, comparison: ArmComparison, arm: str) -> str:
    """The rest of a sentence that begins with the arm."""
    score = comparison["score"]
    turned = comparison["control"] == arm
    other = comparison["arm" if turned else "control"]
    sign = -1 if turned else 1
    mean = sign * comparison["mean"] if comparison["mean"] is not None else None
    interval = comparison["interval"] and sorted(sign * end for end in comparison["interval"])
    theirs = score_of(summary, other, comparison["stage"], score)
    text = f" against {other}'s {shown(theirs and theirs['mean'], score)}"
    text += f"; the difference is {shown(mean, score, sign=True)}"
    if mean is None:
        return text + " (unknown)."
    if interval is None:
        return text + ". A single seed gives no interval, so this may be chance."
    span = shown_interval(interval, score, sign=True)
    text += f" (95 % interval {span}, {comparison['n']} seeds{_tested(summary, comparison)})"
    direction, doubt = verdict(interval, comparison.get("p_holm"))
    if not direction:
        return text + ": these seeds do not tell the two apart."
    return text + f": {arm if direction > 0 else other} is {doubt}better."


def _tested(summary: Summary, comparison: ArmComparison) -> str:
    """The p value of a comparison, and the same corrected for all of its score."""
    p, p_holm, score = comparison["p"], comparison.get("p_holm"), comparison["score"]
    if p is None:
        return ""
    n = sum(one["score"] == score and one["p"] is not None for one in summary["comparisons"])
    text = f", paired t test p = {p:.2g}"
    return text if p_holm is None or n < 2 else f"{text}, {correction(p_holm)} for {n} comparisons"


def _forgetting(summary: Summary, brief: bool) -> Iterator[str]:
    for arm in summary["arms"]:
        lost = lost_by_stage(summary, arm)
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
