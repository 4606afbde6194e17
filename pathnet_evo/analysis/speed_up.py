"""Speed-up of an arm over the independent control (Fernando et al. 2017, section 3)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from pathnet_evo.analysis.curves import area_speed_up
from pathnet_evo.analysis.results import StageResult, TrialResult
from pathnet_evo.analysis.statistics import mean_interval, statistic
from pathnet_evo.setup.config import RunConfig

LARGEST_LOG = math.log(1e300)
CONTROL = "independent"
"""The arm that speed-up is measured against."""
FIXED = "fixed-path"
"""The strategy of controls that do not evolve."""


def speed_ups(
    config: RunConfig,
    of_arm: Mapping[str, Mapping[int, TrialResult]],
    stages: Sequence[Mapping[str, Any]],
) -> dict[str, list[dict[str, Any]]]:
    """Each arm's speed-up over the independent control.

    Stages that count examples are measured by when the arms got somewhere, those that count frames
    by the areas under their learning curves.
    """
    if CONTROL not in of_arm:
        return {}
    found: dict[str, list[dict[str, Any]]] = {}
    for arm in of_arm:
        if arm == CONTROL:
            continue
        found[arm] = []
        for i, stage in enumerate(stages):
            both = {
                seed: (ours, theirs)
                for seed, t in of_arm[arm].items()
                if (ours := t.finished(i))
                and seed in of_arm[CONTROL]
                and (theirs := of_arm[CONTROL][seed].finished(i))
            }
            if stage["unit"] == "examples":
                threshold = config.stages[i].threshold
                measure = "smoothed" if threshold is None else "threshold"
                pairs = {seed: _by_target(*pair, threshold) for seed, pair in both.items()}
            elif stage["unit"] == "frames":
                measure = "area"
                pairs = {seed: _by_area(*pair) for seed, pair in both.items()}
            else:
                continue
            known = {seed: pair for seed, pair in pairs.items() if pair is not None}
            over = _over_pairs(known)
            if stage["unit"] == "examples":
                over["by_generations"] = _by_generations(over, config, arm)
            found[arm].append({"stage": i, "measure": measure, **over})
    return found


def _by_generations(over: Mapping[str, Any], config: RunConfig, arm: str) -> dict[str, Any] | None:
    """A speed-up as counted by public implementations, or None if identical.

    A generation of theirs is two evaluations of PathNet, but one of a control: at equal generations
    PathNet has seen twice as many examples, and what is given here by examples is doubled.
    """
    evolves = {a.name: (a.strategy or config.strategy).get("name") != FIXED for a in config.arms}
    if over["mean"] is None or not evolves[arm] or evolves[CONTROL]:
        return None
    interval = over["interval"] and [2 * end for end in over["interval"]]
    return {"mean": 2 * over["mean"], "interval": interval}


def _by_target(
    arm: StageResult, control: StageResult, threshold: float | None
) -> dict[str, Any] | None:
    return speed_up(arm.fitnesses, control.fitnesses, arm.budget, threshold)


def _by_area(arm: StageResult, control: StageResult) -> dict[str, Any] | None:
    """None if no episode ended, or the random baseline is unknown."""
    if control.random_baseline is None or not (arm.episodes or control.episodes):
        return None
    return area_speed_up(
        arm.episodes, control.episodes, control.random_baseline, frames_of(arm, control)
    )


def speed_up(
    arm: Sequence[float | None],
    control: Sequence[float | None],
    budget: int,
    threshold: float | None,
) -> dict[str, Any] | None:
    """Evaluations that the control needs to reach the target, divided by the arm's.

    The target is the threshold, or without one the final value of the control's smoothed curve.

    Args:
        arm: fitness of each evaluation; None where it failed.
        control: the same of the control.
        budget: evaluations that each of them had.
        threshold: the fitness to reach, or None.

    Returns:
        ``value``, ``censored`` (who never reached the target: ``arm``, then the value is an upper
        bound; ``control``, then a lower one; ``both``, then there is none; or None), ``target``,
        and the evaluations of ``arm`` and ``control``. None where there are too few evaluations
        for a smoothed curve.
    """
    if threshold is None:
        window = smoothing_window(budget)
        curves = [smoothed(arm, window), smoothed(control, window)]
        if not all(curves) or curves[1][-1] is None:
            return None
        target, first = curves[1][-1], window
    else:
        target, first = threshold, 1
        curves = [list(arm), list(control)]
    ours, theirs = (_reached(curve, target, first) for curve in curves)
    censored = {
        (False, False): None,
        (True, False): "arm",
        (False, True): "control",
        (True, True): "both",
    }[ours is None, theirs is None]
    value = None if censored == "both" else (theirs or len(control)) / (ours or len(arm) or 1)
    return {"value": value, "censored": censored, "target": target, "arm": ours, "control": theirs}


def smoothing_window(budget: int) -> int:
    """Smoothing window of a learning curve, in evaluations: a tenth of the budget, at least 20."""
    return max(20, round(budget / 10))


def smoothed(fitnesses: Sequence[float | None], window: int) -> list[float | None]:
    """Trailing means over ``window`` evaluations, from the first full window on.

    Failed evaluations count as evaluations and are left out of the mean, as is what is not finite.
    """
    values = [f if f is not None and math.isfinite(f) else None for f in fitnesses]
    sums = [0.0, *accumulate(0.0 if f is None else f for f in values)]
    finite = [0, *accumulate(f is not None for f in values)]
    return [
        (sums[end] - sums[end - window]) / n if (n := finite[end] - finite[end - window]) else None
        for end in range(window, len(fitnesses) + 1)
    ]


def _reached(curve: Sequence[float | None], target: float, first: int) -> int | None:
    """Evaluations until a curve that starts after ``first`` of them reaches its target."""
    enough = target - 1e-12 * max(1.0, abs(target))  # sums are rounded
    return next((i + first for i, v in enumerate(curve) if v is not None and v >= enough), None)


def _over_pairs(pairs: Mapping[int, dict[str, Any]]) -> dict[str, Any]:
    """Geometric mean of the uncensored pairs, with an interval from t on logarithms.

    There is none where one of the values is not positive, or cannot be said; areas have the mean
    of their differences besides.
    """
    told = [p["value"] for p in pairs.values() if p["censored"] is None]
    logs = [math.log(v) for v in told] if all(map(_is_ratio, told)) else []
    mean, interval = mean_interval(logs)
    if interval is not None and interval[1] > LARGEST_LOG:
        interval = None
    differences = {seed: p["difference"] for seed, p in pairs.items() if "difference" in p}
    return {
        "seeds": {str(seed): pair for seed, pair in pairs.items()},
        "n": len(logs),
        "censored": len(pairs) - len(told),
        "mean": None if mean is None else math.exp(mean),
        "interval": None if interval is None else [math.exp(end) for end in interval],
        **({"difference": statistic(differences)} if differences else {}),
    }


def _is_ratio(value: float | None) -> bool:
    return value is not None and 0 < value < math.inf


def frames_of(*stages: StageResult) -> int:
    """The frames covered by all of these learning curves."""
    return min(stage.budget if stage.by_frames else stage.examples for stage in stages)
