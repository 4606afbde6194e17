"""Resuming a run: allowed changes, where each trial resumes, and what is discarded."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.interfaces.storage import ResumePoint
from pathnet_evo.setup.plan import Plan
from pathnet_evo.setup.problems import ConfigError, Problem
from pathnet_evo.store import checkpoint
from pathnet_evo.store.checkpoint import CheckpointError
from pathnet_evo.store.checkpointer import folder_of
from pathnet_evo.store.lineage import Lineage, open_lineage
from pathnet_evo.store.places import PlaceError, checkpoint_folder, left_in, remove_checkpoint
from pathnet_evo.store.reading import intact
from pathnet_evo.store.rows import Position, chains_of
from pathnet_evo.store.same_data import learned_on, of_trial

Say = Callable[[str], None]
"""Reports a problem to the user, and what is done about it."""


def starts_of(run: Path, lineage: Lineage, plan: Plan, say: Say) -> dict[int, ResumePoint | None]:
    """Roll a run back to where each unfinished trial resumes.

    That is the newest checkpoint that is whole and whose rows the lineage has, all of them and
    unchanged; None where there is none. What the lineage has after it is rolled back, and files
    that nothing names are removed.

    Args:
        run: the run's folder.
        lineage: its writer.
        plan: what is to be run.
        say: hears of checkpoints that cannot be used.
    """
    last, starts = len(plan.stages) - 1, dict[int, ResumePoint | None]()
    for trial in plan.trials:
        with closing(open_lineage(lineage.path)) as db, intact(lineage.path):
            row = db.execute("SELECT state FROM trials WHERE trial = ?", (trial.id,)).fetchone()
            if row is not None and row["state"] == "stopped":
                continue
            kept = checkpoints_of(db, trial.id)
            start, position = _newest(run, db, trial, kept, say)
        over = position is not None and position == _end(position, last)
        if row is None or row["state"] != "finished" or not over:
            _roll_back(lineage, trial, kept, start, position)
            starts[trial.id] = start
        else:
            lineage.retire(trial.id, keep=0)
        _clear(run, lineage, trial)
    return starts


def start_again(run: Path, lineage: Lineage, trial: Trial, say: Say) -> ResumePoint | None:
    """Roll one trial back to where it resumes; see ``starts_of``."""
    lineage.commit()
    with closing(open_lineage(lineage.path)) as db, intact(lineage.path):
        kept = checkpoints_of(db, trial.id)
        start, position = _newest(run, db, trial, kept, say)
    _roll_back(lineage, trial, kept, start, position)
    _clear(run, lineage, trial)
    return start


def _roll_back(
    lineage: Lineage,
    trial: Trial,
    kept: Sequence[ResumePoint],
    start: ResumePoint | None,
    position: Position | None,
) -> None:
    """Forget a trial's rows and checkpoints after a checkpoint."""
    for later in kept[: kept.index(start)] if start else kept:
        lineage.forget_checkpoint(later.place)
    lineage.roll_back(trial.id, position)


def checkpoints_of(db: sqlite3.Connection, trial: int) -> list[ResumePoint]:
    """All checkpoints of a trial in the lineage, newest first."""
    within = db.execute(
        "SELECT stage, 0, number, folder, manifest FROM checkpoints WHERE trial = ?", (trial,)
    ).fetchall()
    ends = db.execute(
        "SELECT stage, 1, 0, checkpoint, manifest FROM stages "
        "WHERE trial = ? AND checkpoint IS NOT NULL",
        (trial,),
    ).fetchall()
    ordered = sorted((tuple(row) for row in [*within, *ends]), reverse=True)
    return [ResumePoint(folder, manifest) for *_, folder, manifest in ordered]


def position_of(run: Path, db: sqlite3.Connection, trial: Trial, start: ResumePoint) -> Position:
    """The position of a checkpoint, after verifying all its bytes and all earlier rows.

    Raises:
        CheckpointError: it is damaged or another's, or the lineage is not what it was then.
    """
    try:
        folder = checkpoint_folder(run, start.place, folder_of(trial))
    except PlaceError as error:
        raise CheckpointError(str(error)) from None
    about = checkpoint.verify(folder, start.manifest)
    if (about.get("arm"), about.get("seed")) != (trial.arm, trial.seed):
        raise CheckpointError(f"{folder}: a checkpoint of another trial")
    try:
        position = Position(**about["position"])
        links = about["lineage"]
        same = chains_of(db, trial.id, position).links == links
        learned_on(folder, of_trial(db, trial.id))
    except sqlite3.Error as error:
        raise CheckpointError(f"{folder}: its lineage cannot be read ({error})") from None
    except ValueError as error:
        raise CheckpointError(f"{folder}: its data are not known ({error})") from None
    except (KeyError, TypeError, OverflowError):
        raise CheckpointError(f"{folder}: predates resumable checkpoints") from None
    if not same:
        raise CheckpointError(f"{folder}: the lineage has changed since this was written")
    return position


def _newest(
    run: Path, db: sqlite3.Connection, trial: Trial, kept: Sequence[ResumePoint], say: Say
) -> tuple[ResumePoint | None, Position | None]:
    for start in kept:
        try:
            return start, position_of(run, db, trial, start)
        except CheckpointError as error:
            say(f"{error}; it is skipped")
    if kept:
        say(f"{trial.arm}, seed {trial.seed}: no usable checkpoint; it starts over")
    return None, None


def _end(position: Position, stage: int) -> Position:
    return Position(stage, position.evaluations, position.episodes, finished=True)


def _clear(run: Path, lineage: Lineage, trial: Trial) -> None:
    """Remove a trial's unreferenced checkpoints."""
    with closing(open_lineage(lineage.path)) as db, intact(lineage.path):
        named = {start.place for start in checkpoints_of(db, trial.id)}
    home = folder_of(trial)
    for left in left_in(run, home):
        if left not in named:
            remove_checkpoint(run, left, home)


# What may change --------------------------------------------------------------------------

BUDGET = re.compile(r"stages\.(\d+)\.(generations|frames|threshold)")
STAGE = re.compile(r"stages\.(\d+)\.")
FREE = re.compile(r"executor(\..*)?|device|observers(\..*)?|checkpoints\..*|plugins\.\d+\.path")
"""Keys that can change on any resume."""


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
