"""Speed-up of an arm over the independent control (Fernando et al. 2017, section 3)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from pathnet_evo.analysis.arms import CONTROL
from pathnet_evo.analysis.curves import (
    area_speed_up,
    evaluations_within,
    learning_curve,
    smoothed,
    smoothing_window,
)
from pathnet_evo.analysis.results import StageResult, TrialResult
from pathnet_evo.analysis.significance import correct
from pathnet_evo.analysis.statistics import mean_interval, paired_p, statistic
from pathnet_evo.setup.config import RunConfig

LARGEST_LOG = math.log(1e300)
FIXED = "fixed-path"
"""The strategy of controls that do not evolve."""
TOURNAMENTS = ("binary-tournament", "elitist-tournament")
"""The strategies that public implementations have: a generation is a tournament of two."""


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
                over["by_generations"] = _by_generations(over, stage, config, arm)
            found[arm].append({"stage": i, "measure": measure, **over})
    correct([speed for of_stages in found.values() for speed in of_stages])
    return found


def _by_generations(
    over: Mapping[str, Any], stage: Mapping[str, Any], config: RunConfig, arm: str
) -> dict[str, Any] | None:
    """A speed-up as counted by public implementations; None for what they do not have.

    A generation of theirs is a tournament, two evaluations of PathNet, but one evaluation of a
    control: at equal generations PathNet has seen twice as many examples, and what is given here by
    evaluations is doubled. Other strategies, and budgets in examples, have no such count.
    """
    strategies = {a.name: (a.strategy or config.strategy).get("name") for a in config.arms}
    if over["mean"] is None or stage["by_frames"]:
        return None
    if strategies[arm] not in TOURNAMENTS or strategies[CONTROL] != FIXED:
        return None
    interval = over["interval"] and [2 * end for end in over["interval"]]
    return {"mean": 2 * over["mean"], "interval": interval}


def _by_target(
    arm: StageResult, control: StageResult, threshold: float | None
) -> dict[str, Any] | None:
    sizes = (arm.sizes, control.sizes) if arm.by_frames else None
    return speed_up(arm.fitnesses, control.fitnesses, arm.budget, threshold, sizes)


def _by_area(arm: StageResult, control: StageResult) -> dict[str, Any] | None:
    """None if no episode ended, or the random baseline is unknown."""
    if control.random_baseline is None or not (arm.episodes or control.episodes):
        return None
    chance, frames = control.random_baseline, frames_of(arm, control)
    return area_speed_up(curve_of(arm, chance, frames), curve_of(control, chance, frames), chance)


def speed_up(
    arm: Sequence[float | None],
    control: Sequence[float | None],
    budget: int,
    threshold: float | None,
    sizes: tuple[Sequence[int], Sequence[int]] | None = None,
) -> dict[str, Any] | None:
    """What the control uses of its budget to reach the target, divided by what the arm uses.

    The target is the threshold, or without one the final value of the control's smoothed curve.

    Args:
        arm: fitness of each evaluation; None where it failed.
        control: the same of the control.
        budget: evaluations that each of them had, or examples if there are ``sizes``.
        threshold: the fitness to reach, or None.
        sizes: examples of each evaluation of the arm and of the control, if the budget counts them.

    Returns:
        ``value``, ``censored`` (who never reached the target: ``arm``, then the value is an upper
        bound; ``control``, then a lower one; ``both``, then there is none; or None), ``target``,
        and the evaluations, or examples, of ``arm`` and ``control`` to the target. None where there
        are too few evaluations for a smoothed curve.
    """
    both = (arm, control)
    counted = sizes or tuple([1] * len(fitnesses) for fitnesses in both)
    used = [[*accumulate(of)] for of in counted]
    if threshold is None:
        held = (evaluations_within(budget, sizes is not None, of) for of in counted)
        first = [*map(smoothing_window, held)]
        curves = [*map(smoothed, both, first)]
        if not all(curves) or curves[1][-1] is None:
            return None
        target = curves[1][-1]
    else:
        target, first = threshold, [1, 1]
        curves = [[*arm], [*control]]
    ours, theirs = (
        _reached(curve, target, after[start - 1 :])
        for curve, after, start in zip(curves, used, first, strict=True)
    )
    censored = {
        (False, False): None,
        (True, False): "arm",
        (False, True): "control",
        (True, True): "both",
    }[ours is None, theirs is None]
    most = [after[-1] if after else 0 for after in used]
    value = None if censored == "both" else (theirs or most[1]) / (ours or most[0] or 1)
    return {"value": value, "censored": censored, "target": target, "arm": ours, "control": theirs}


def _reached(curve: Sequence[float | None], target: float, used: Sequence[int]) -> int | None:
    """What was used when a curve reached its target; ``used`` is what was at each of its points."""
    enough = target - 1e-12 * max(1.0, abs(target))  # sums are rounded
    points = zip(curve, used, strict=True)
    return next((at for value, at in points if value is not None and value >= enough), None)


def _over_pairs(pairs: Mapping[int, dict[str, Any]]) -> dict[str, Any]:
    """Geometric mean of the uncensored pairs, with an interval from t on logarithms.

    There is none where one of the values is not positive, or cannot be said; areas have the mean
    of their differences besides. The p value is that of the t test on logarithms.
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
        "p": paired_p(logs),
        **({"difference": statistic(differences)} if differences else {}),
    }


def _is_ratio(value: float | None) -> bool:
    return value is not None and 0 < value < math.inf


def frames_of(*stages: StageResult) -> int:
    """The frames covered by all of these learning curves."""
    return min(stage.budget if stage.by_frames else stage.examples for stage in stages)


def curve_of(stage: StageResult, chance: float, frames: int) -> list[float]:
    """A stage's learning curve over so many frames; see ``learning_curve``."""
    return learning_curve(stage.episodes, chance, frames, early_end=stage.early_end)
