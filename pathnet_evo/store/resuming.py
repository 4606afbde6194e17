"""Resuming a run: where each trial resumes, and what is discarded."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.interfaces.storage import ResumePoint
from pathnet_evo.setup.plan import Plan
from pathnet_evo.store import checkpoint
from pathnet_evo.store.checkpoint import CheckpointError
from pathnet_evo.store.checkpointer import folder_of
from pathnet_evo.store.lineage import Lineage, open_lineage
from pathnet_evo.store.places import PlaceError, checkpoint_folder, left_in, remove_checkpoint
from pathnet_evo.store.reading import RunError, intact
from pathnet_evo.store.rows import Position, chains_of
from pathnet_evo.store.same_data import learned_on, of_trial
from pathnet_evo.values.stage_numbers import stage_number

Say = Callable[[str], None]
"""Reports a problem to the user, and what is done about it."""
START_OVER = "--start-over"


@dataclass(frozen=True)
class Consent:
    """What a user agrees to lose.

    Args:
        changed_data: trials continue on other data than they began with.
        start_over: finished stages without a usable checkpoint are erased and learned again.
    """

    changed_data: bool = False
    start_over: bool = False


class RowsChangedError(CheckpointError):
    """A checkpoint is whole, and the lineage is not what it was when it was written."""


@dataclass(frozen=True)
class Standing:
    """What a trial can resume from.

    Args:
        trial: which trial.
        state: its state in the lineage; None where it has not started.
        whole: whether every stage of the plan is finished, and no checkpoint contradicts its rows.
        kept: its checkpoints, newest first.
        start: the newest usable one.
        position: that one's position.
        lost: the finished stages after it that had a checkpoint.
        problems: why newer checkpoints cannot be used.
    """

    trial: Trial
    state: str | None = None
    whole: bool = False
    kept: Sequence[ResumePoint] = ()
    start: ResumePoint | None = None
    position: Position | None = None
    lost: Sequence[int] = ()
    problems: Sequence[CheckpointError] = ()

    def __str__(self) -> str:
        return f"{self.trial.arm}, seed {self.trial.seed}"

    def stays(self, consent: Consent) -> bool:
        """Whether its results stand as they are."""
        over = self.state == "finished" and self.whole
        return self.state == "stopped" or (over and not (self.lost and consent.start_over))


def standings_of(
    run: Path, db: sqlite3.Connection, plan: Plan, say: Say, consent: Consent
) -> list[Standing]:
    """Where each trial resumes; nothing is changed.

    That is the newest checkpoint that is whole and whose rows the lineage has, all of them and
    unchanged. A finished trial needs none.

    Args:
        run: the run's folder.
        db: its lineage.
        plan: what is to be run.
        say: hears of checkpoints that cannot be used.
        consent: what may be erased.

    Raises:
        RunError: a trial has finished stages and no usable checkpoint to continue from.
    """
    found = [_standing(run, db, trial, len(plan.stages)) for trial in plan.trials]
    unfinished = [each for each in found if not each.stays(consent)]
    for each in unfinished:
        for problem in each.problems:
            say(f"{problem}; it is skipped")
    if (lost := [each for each in unfinished if each.lost]) and not consent.start_over:
        raise RunError(
            f"{run}: {_lost(lost)}. Restore its files, or erase these stages and learn them again "
            f"with `pathnet-evo resume {run} {START_OVER}`"
        )
    for each in unfinished:
        if each.kept and each.start is None:
            say(f"{each}: no usable checkpoint; it starts over")
    if bare := [each for each in found if each not in unfinished and each.lost]:
        also = f", and {len(bare) - 1} more" if len(bare) > 1 else ""
        say(
            f"{bare[0]}{also}: finished, so the results stay, but no usable checkpoint has the "
            f"networks (`pathnet-evo check {run}` says why; {START_OVER} learns them again)"
        )
    return found


def _lost(trials: Sequence[Standing]) -> str:
    """Which finished stages cannot be continued from."""
    first = trials[0]
    numbers = ", ".join(str(stage_number(stage)) for stage in first.lost)
    text = f"{first}: no usable checkpoint of finished stage{'s' * (len(first.lost) > 1)} {numbers}"
    return f"{text}, nor of {len(trials) - 1} more trials" if len(trials) > 1 else text


def _standing(run: Path, db: sqlite3.Connection, trial: Trial, n_stages: int) -> Standing:
    row = db.execute("SELECT state FROM trials WHERE trial = ?", (trial.id,)).fetchone()
    if row is None or row["state"] == "stopped":
        return Standing(trial, None if row is None else "stopped")
    kept, problems = checkpoints_of(db, trial.id), list[CheckpointError]()
    start: ResumePoint | None = None
    position: Position | None = None
    for each in kept:
        try:
            start, position = each, position_of(run, db, trial, each)
            break
        except CheckpointError as error:
            problems.append(error)
    over = db.execute(
        "SELECT stage, checkpoint FROM stages WHERE trial = ? AND path IS NOT NULL ORDER BY stage",
        (trial.id,),
    ).fetchall()
    whole = len(over) == n_stages and not any(isinstance(p, RowsChangedError) for p in problems)
    n_kept = 0 if position is None else position.stage + position.finished
    lost = [stage for stage, named in over if named is not None and stage >= n_kept]
    return Standing(trial, row["state"], whole, kept, start, position, lost, problems)


def begin(
    run: Path, lineage: Lineage, standings: Sequence[Standing], consent: Consent
) -> dict[int, ResumePoint | None]:
    """Roll a run back to where each unfinished trial resumes; None is its beginning.

    What the lineage has after that is rolled back, and files that nothing names are removed.

    Args:
        run: the run's folder.
        lineage: its writer.
        standings: what ``standings_of`` gave.
        consent: what may be erased.
    """
    starts = dict[int, ResumePoint | None]()
    for each in standings:
        if not each.stays(consent):
            _roll_back(lineage, each)
            starts[each.trial.id] = each.start
        elif each.state == "stopped" or each.lost:
            continue
        else:
            lineage.retire(each.trial.id, keep=0)
        _clear(run, lineage, each.trial)
    return starts


def start_again(run: Path, lineage: Lineage, trial: Trial, say: Say) -> ResumePoint | None:
    """Roll one trial back to where it resumes; see ``begin``.

    Raises:
        CheckpointError: it has finished stages and no usable checkpoint to continue from.
    """
    lineage.commit()
    with closing(open_lineage(lineage.path)) as db, intact(lineage.path):
        found = _standing(run, db, trial, n_stages=0)
    for problem in found.problems:
        say(f"{problem}; it is skipped")
    if found.lost:
        raise CheckpointError(_lost([found]))
    _roll_back(lineage, found)
    _clear(run, lineage, trial)
    return found.start


def _roll_back(lineage: Lineage, standing: Standing) -> None:
    """Forget a trial's rows and checkpoints after the one that it resumes from."""
    kept, start = standing.kept, standing.start
    for later in kept[: kept.index(start)] if start else kept:
        lineage.forget_checkpoint(later.place)
    lineage.roll_back(standing.trial.id, standing.position)


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
    except CheckpointError as error:
        raise RowsChangedError(str(error)) from None
    except sqlite3.Error as error:
        raise RowsChangedError(f"{folder}: its lineage cannot be read ({error})") from None
    except ValueError as error:
        raise RowsChangedError(f"{folder}: its data are not known ({error})") from None
    except (KeyError, TypeError, OverflowError):
        raise CheckpointError(f"{folder}: predates resumable checkpoints") from None
    if not same:
        raise RowsChangedError(f"{folder}: the lineage has changed since this was written")
    return position


def _clear(run: Path, lineage: Lineage, trial: Trial) -> None:
    """Remove a trial's unreferenced checkpoints."""
    with closing(open_lineage(lineage.path)) as db, intact(lineage.path):
        named = {start.place for start in checkpoints_of(db, trial.id)}
    home = folder_of(trial)
    for left in left_in(run, home):
        if left not in named:
            remove_checkpoint(run, left, home)
