"""What the page's scripts draw from: plain data, thinned to what a screen shows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pathnet_evo.report.data import Curve, ReportData, StageView
from pathnet_evo.report.data.genealogy import genealogy
from pathnet_evo.report.data.history import finite
from pathnet_evo.report.data.population import flat, rounded, steps
from pathnet_evo.values.numbers import plain_numbers

POPULATIONS = 4_000_000
"""The most characters of populations that a page carries; later seeds go without."""

DOTS = 400
"""The most evaluations that are shown behind a genealogy."""


LAYERS = 1000
"""The most layers of one kind that a page shows."""


def payload(data: ReportData) -> dict[str, Any]:
    """All figures of a run as plain data without NaN."""
    stages = range(len(data.stages))
    return {
        "arms": data.arms,
        "shown": data.shown,
        "running": data.summary["state"] == "running",
        "seeds": data.summary["seeds"],
        "aggregate": data.config.pool.aggregate,
        "kinds": _kinds(data),
        "stages": [stage_payload(data, i) for i in stages],
        "curves": [{a: curve_payload(data.curve(a, i)) for a in data.arms} for i in stages],
        "scores": [_scores(data, i) for i in stages],
        "reuse": [_reuse(data, i) for i in stages],
        "usage": [
            {"arm": u.arm, "stage": u.stage, "shares": [_rounded(s, 3) for s in u.shares]}
            for u in data.usage
        ],
        "trials": _trials(data),
    }


def as_json(value: Any) -> str:
    """JSON that can stand in a script element, whatever names and numbers it holds."""
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        text = json.dumps(plain_numbers(value), separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _kinds(data: ReportData) -> list[str]:
    layers = data.config.pool.layers
    return [str(layer.get("kind")) for layer in layers for _ in range(_repeat(layer))]


def _repeat(layer: dict[str, Any]) -> int:
    repeat = layer.get("repeat", 1)
    return min(repeat, LAYERS) if isinstance(repeat, int) else 1


def stage_payload(data: ReportData, i: int) -> dict[str, Any]:
    """What charts need of a stage."""
    about = data.stages[i]
    views = [view for view in data.views if view.stage == i]
    chance = next(
        (v.history.random_baseline for v in views if v.history.random_baseline is not None), None
    )
    return {
        "name": about["name"],
        "fitness": about["fitness_name"] or "fitness",
        "counted": views[0].counted if views else "evaluations",
        "threshold": about["threshold"],
        "chance": rounded(chance),
        "score": about["score"],
    }


def curve_payload(curve: Curve) -> dict[str, Any] | None:
    """A curve with as many digits as a chart shows; None where there is none."""
    if not curve.x:
        return None
    return {
        "x": curve.x,
        "seeds": {seed: _rounded(values) for seed, values in curve.seeds.items()},
        "mean": _rounded(curve.mean),
        "low": _rounded(curve.low),
        "high": _rounded(curve.high),
    }


def _scores(data: ReportData, i: int) -> dict[str, Any]:
    name, found = data.stages[i]["score"] or "", {}
    for arm in data.arms:
        result = data.summary["arms"][arm]["stages"][i]["scores"].get(name)
        if result is not None and result["mean"] is not None:
            found[arm] = {k: result[k] for k in ("mean", "interval", "seeds")}
    return found


def _reuse(data: ReportData, i: int) -> dict[str, Any]:
    """Overlap with frozen modules, and what chance would give, for arms that freeze."""
    found = {}
    for arm in data.arms:
        curve = data.overlap(arm, i)
        if curve.x:
            chances = [v.overlap_chance for v in data.of(arm, i) if v.overlap_chance]
            chance = sum(chances) / len(chances)
            found[arm] = {**(curve_payload(curve) or {}), "chance": rounded(chance)}
    return found


def _trials(data: ReportData) -> list[dict[str, Any]]:
    """Every stage of every trial; populations as long as there is room, first seeds first."""
    order = sorted(range(len(data.views)), key=lambda k: (data.views[k].seed, k))
    room = POPULATIONS
    found: dict[int, dict[str, Any]] = {}
    for k in order:
        view = data.views[k]
        told = _trial(view)
        changes = steps(view.history)
        size = len(json.dumps(changes, separators=(",", ":")))
        told["steps"] = changes if size <= room else None
        room -= size if size <= room else 0
        found[k] = told
    return [found[k] for k in range(len(data.views))]


def _trial(view: StageView) -> dict[str, Any]:
    history = view.history
    fitnesses = [told.fitness for told in history.told]
    stride = max(1, -(-len(fitnesses) // DOTS))
    return {
        "arm": view.arm,
        "seed": view.seed,
        "stage": view.stage,
        "counts": view.counts,
        "width": history.width,
        "frozen": history.frozen,
        "earlier": view.earlier,
        "freezes": view.freezes,
        "path": history.path,
        "fitness": rounded(history.fitness),
        "places": len(history.initial),
        "initial": flat(history.initial),
        "dots": {"stride": stride, "fitness": _rounded(fitnesses[::stride])},
        "line": [
            [a.evaluation, a.generation, rounded(a.fitness), a.changes] for a in genealogy(history)
        ],
    }


def _rounded(values: Sequence[float | None], digits: int = 4) -> list[float | None]:
    return [None if v is None else finite(float(f"{v:.{digits}g}")) for v in values]
