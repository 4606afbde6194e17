"""What may change when a run resumes."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from typing import Any

from pathnet_evo.setup.plan import Plan
from pathnet_evo.setup.problems import ConfigError, Problem

BUDGET = re.compile(r"stages\.(\d+)\.(generations|frames|threshold)")
STAGE = re.compile(r"stages\.(\d+)\.")
FREE = re.compile(r"executor(\..*)?|device|observers(\..*)?|checkpoints\..*|plugins\.\d+\.path")
"""Keys that can change on any resume."""
APART = re.compile(
    r"name|seeds|stages\.[1-9]\d*\..*|executor(\..*)?|checkpoints\..*|plugins\.\d+\.path"
)
"""Keys in which two runs can differ that learn the same first stage."""


def check_changes(db: sqlite3.Connection, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Refuse configuration changes that would invalidate the results so far.

    Stages after the last one change nothing of what was learned before; see ``check_further``.

    Args:
        db: the lineage.
        before: the run's configuration, with every default.
        after: that which is wanted.

    Raises:
        ConfigError: everything that cannot change, and why.
    """
    old, new = dict(_flat(before)), dict(_flat(after))
    found = []
    for place in sorted(old.keys() | new.keys()):
        was, wanted = old.get(place), new.get(place)
        stage = STAGE.match(place)
        added = stage is not None and int(stage[1]) >= len(before["stages"])
        if was != wanted and not added and not FREE.fullmatch(place):
            reason = _refusal(db, place, was, wanted)
            if reason:
                found.append(Problem(place, reason))
    if found:
        raise ConfigError(found)


def check_further(db: sqlite3.Connection, plan: Plan, known: int) -> None:
    """Refuse further stages where a trial cannot go on to them.

    Args:
        db: the lineage.
        plan: what is to be run.
        known: how many stages the run has so far.

    Raises:
        ConfigError: an arm has a learner of the whole sequence, a trial was ended for good, or a
            layer has no free module left.
    """
    if len(plan.stages) <= known:
        return
    place, found = f"stages.{known}", []
    if rivals := [name for name, arm in plan.arms.items() if arm.policy.rival() is not None]:
        text = (
            f"cannot be added: rivals ({', '.join(rivals)}) plan for the number of tasks; start a "
            "new run with all of them"
        )
        found.append(Problem(place, text))
    (stopped,) = db.execute("SELECT count(*) FROM trials WHERE state = 'stopped'").fetchone()
    if stopped:
        text = f"cannot be added: {stopped} trial{'s' * (stopped > 1)} ended early, for good"
        found.append(Problem(place, text))
    if not plan.config.transfer.grow and (full := _full(db, plan, known - 1)):
        text = (
            f"cannot be added: layer {full} has no free module; start a new run with transfer.grow"
        )
        found.append(Problem(place, text))
    if found:
        raise ConfigError(found)


def same_beginning(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether the same first stage is learned by the same arms in two runs.

    Args:
        one: the configuration of a run, with every default.
        other: that of another run.
    """
    return _beginning(one) == _beginning(other)


def _beginning(config: dict[str, Any]) -> dict[str, Any]:
    """What decides how a trial's first stage goes."""
    return {place: value for place, value in _flat(config) if not APART.fullmatch(place)}


def _full(db: sqlite3.Connection, plan: Plan, stage: int) -> int | None:
    """The first layer, from 1, of which a trial has frozen all modules after a stage."""
    rows = db.execute(
        "SELECT arm, counts, frozen_before, path FROM stages JOIN trials USING (trial) "
        "WHERE stage = ? AND path IS NOT NULL",
        (stage,),
    )
    for arm, *texts in rows:
        if plan.arms[arm].policy.freezes:
            layers = zip(*map(json.loads, texts), strict=True)
            for i, (count, frozen, active) in enumerate(layers, 1):
                if len({*frozen, *active}) >= count:
                    return i
    return None


def _refusal(db: sqlite3.Connection, place: str, was: Any, wanted: Any) -> str | None:
    """Why a key cannot change, or None."""
    change = f"was {'nothing' if was is None else was}, cannot become {wanted}"
    if place == "seeds":
        return None if wanted > was else f"{change}: seeds can be added, not removed"
    budget = BUDGET.fullmatch(place)
    if budget is None:
        return f"{change}: it cannot change within a run; start a new run"
    begun, over = db.execute(
        "SELECT count(*), count(path) FROM stages WHERE stage = ?", (int(budget[1]),)
    ).fetchone()
    if over:
        return f"{change}: the stage is finished in {over} trial{'s' * (over > 1)}"
    if budget[2] == "frames" and begun and None in (was, wanted):
        return f"{change}: the stage has started with the other kind of budget"
    return None


def _flat(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _flat(part, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list) and any(isinstance(part, dict | list) for part in value):
        for i, part in enumerate(value):
            yield from _flat(part, f"{place}.{i}")
    else:
        yield place, value
