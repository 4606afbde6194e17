"""Speed-ups in words."""

from __future__ import annotations

from collections.abc import Sequence

from pathnet_evo.analysis.arms import CONTROL
from pathnet_evo.interfaces.summary import SpeedUp, SpeedUpOfSeed
from pathnet_evo.report.verdicts import correction, verdict
from pathnet_evo.values.readable import shown, shown_interval, times

NO_RATIO = "no ratio"
"""Shown if two areas are not both positive."""


def censored_times(pair: SpeedUpOfSeed) -> str:
    """One seed's speed-up, with ``<`` or ``>`` if an arm ran out of budget."""
    if pair["censored"] == "both":
        return "neither reached it"
    if pair["value"] is None:
        return NO_RATIO
    sign = {"arm": "< ", "control": "> ", None: ""}[pair["censored"]]
    return sign + times(pair["value"])


def speed_up(speed: SpeedUp) -> str:
    """A speed-up over seeds, or why there is none; empty without seeds."""
    if speed["mean"] is not None:
        return times(speed["mean"])
    if "difference" in speed:
        return NO_RATIO
    return "not reached" if speed["censored"] else ""


def speed_up_interval(speed: SpeedUp) -> str:
    """The interval of ``speed_up``, or empty."""
    return " to ".join(times(end) for end in speed["interval"] or ())


def area_gain(speed: SpeedUp) -> str:
    """The gain in area under the learning curve; empty if areas are not compared."""
    return shown(speed["difference"]["mean"], sign=True) if "difference" in speed else ""


def area_gain_interval(speed: SpeedUp) -> str:
    """The interval of ``area_gain``, or empty."""
    found = speed.get("difference")
    return shown_interval(found["interval"], sign=True) if found else ""


def pace(speed: SpeedUp) -> str:
    """How fast an arm learned, in a few words; empty where that cannot be said of all seeds."""
    if speed["mean"] is None or speed["interval"] is None or speed["censored"]:
        return ""
    sign, doubt = verdict(speed["interval"], speed.get("p_holm"), neutral=1)
    said = f"{doubt}{times(speed['mean'])} as fast (95 % interval {speed_up_interval(speed)})"
    return said if sign else ""


def _area(speed: SpeedUp, arm: str) -> str:
    """How the areas under two learning curves compare, above random actions."""
    what = f"the area between the learning curve of {arm} and the score of random actions"
    if speed["mean"] is None:
        more, n = speed["difference"], len(speed["seeds"])
        text = (
            f"{what} has no ratio to {CONTROL}'s, because not all areas are positive; the "
            f"difference is {shown(more['mean'], sign=True)} on average over the stage"
        )
        return (
            f"{text} (95 % interval {shown_interval(more['interval'])}, {n} seeds)."
            if (more["interval"])
            else f"{text} (a single seed gives no interval)."
        )
    text = f"{what} is {times(speed['mean'])} that of {CONTROL}"
    if speed["interval"] is None:
        return f"{text} (a single pair of seeds gives no interval)."
    return f"{text} ({_span(speed)}): {_judged(speed)}."


def _span(speed: SpeedUp) -> str:
    p = correction(speed.get("p_holm"))
    text = f"95 % interval {speed_up_interval(speed)}, {speed['n']} pairs of seeds"
    return f"{text}, {p}" if p else text


def _judged(speed: SpeedUp) -> str:
    """The verdict on a speed-up that has an interval."""
    sign, doubt = verdict(speed["interval"] or (1, 1), speed.get("p_holm"), neutral=1)
    if not sign:
        return "these seeds do not tell the two apart"
    return doubt + ("faster" if sign > 0 else "slower")


def speed_sentence(speed: SpeedUp, arm: str) -> str:
    """How fast an arm learned, beside the control; the rest of a sentence about a stage."""
    if speed["measure"] == "area":
        return _area(speed, arm)
    goal = "the threshold" if speed["measure"] == "threshold" else f"{CONTROL}'s final level"
    pairs = list(speed["seeds"].values())
    lost = _lost(pairs, arm)
    if speed["mean"] is None:
        return f"the speed-up of {arm} is unknown: {lost}."
    said = "faster" if speed["mean"] > 1 else "slower" if speed["mean"] < 1 else "equally fast"
    text = f"{arm} reached {goal} at {times(speed['mean'])} the speed of {CONTROL}"
    if speed["interval"] is None:
        text += f" ({said}; a single pair of seeds gives no interval)"
    else:
        text += f" ({_span(speed)}): {_judged(speed)}"
    text += f"; left out: {lost}." if lost else "."
    if twice := speed.get("by_generations"):
        text += (
            f" Counted in generations, as public implementations do (two evaluations of {arm}, one "
            f"of {CONTROL}), that would be {times(twice['mean'])}."
        )
    return text


def _lost(pairs: Sequence[SpeedUpOfSeed], arm: str) -> str:
    """Which arms did not reach the target within the budget, and how often."""
    words = {
        "arm": f"{arm} did not reach it within its budget",
        "control": f"{CONTROL} did not",
        "both": "neither did",
    }
    counts = {who: sum(p["censored"] == who for p in pairs) for who in words}
    return ", ".join(f"{words[who]} ({n} of {len(pairs)})" for who, n in counts.items() if n)
