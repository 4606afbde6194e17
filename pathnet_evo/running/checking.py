"""Verifying a whole run: its configuration, its lineage, and every checkpoint against both."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from pathnet_evo.analysis.summary import summarise
from pathnet_evo.errors import UserError
from pathnet_evo.interfaces.run_info import Trial
from pathnet_evo.interfaces.storage import ResumePoint
from pathnet_evo.setup.problems import ConfigError
from pathnet_evo.store.checkpoint import CheckpointError
from pathnet_evo.store.checkpointer import folder_of
from pathnet_evo.store.lineage import LineageError, never_begun, open_lineage
from pathnet_evo.store.lock import holder
from pathnet_evo.store.places import left_in
from pathnet_evo.store.reading import RunError, intact, read_about, read_config
from pathnet_evo.store.resuming import checkpoints_of, position_of


@dataclass
class Findings:
    """What a run was found to be.

    Args:
        lines: what is as it should be, for people.
        problems: what is not.
    """

    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def inspect(run: Path) -> Findings:
    """Verify a run; nothing of it is changed, and nothing of it is executed.

    Raises:
        RunError: there is no such run.
    """
    from pathnet_evo.report.data import read_report_data

    if not (run / "run.toml").is_file():
        raise RunError(f"{run}: not a run's folder (it has no run.toml)")
    found = Findings()
    held = holder(run)
    if held is not None:
        says = f"held by {held}" if held.alive else f"stale lock left by {held}"
        found.lines.append(f"lock: {says}")
    try:
        read_config(run)
        if "version" in read_about(run):
            found.lines.append("run.toml, about.json: intact")
        else:  # nothing that was learned depends on it
            found.lines.append("run.toml: intact")
            found.lines.append("about.json: missing, or does not say how the run began")
    except (ConfigError, RunError, LineageError) as error:
        found.problems.append(str(error))
    path = run / "lineage.sqlite"
    if never_begun(path):
        found.lines.append("lineage.sqlite: no trial has started")
        return found
    try:
        with closing(open_lineage(path, thorough=True)) as db, intact(path):
            _lineage(run, db, found)
        read_report_data(run, digested=False)
        found.lines.append(f"state: {summarise(run)['state']}")
    except UserError as error:
        if str(error) not in found.problems:
            found.problems.append(str(error))
    return found


def _lineage(run: Path, db: sqlite3.Connection, found: Findings) -> None:
    counts = {
        table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
        for table in ("trials", "evaluations", "episodes", "events", "generations")
    }
    shown = ", ".join(f"{count:,} {table}" for table, count in counts.items())
    found.lines.append(f"lineage.sqlite: intact ({shown})")
    whole = 0
    for row in db.execute("SELECT trial, arm, seed FROM trials ORDER BY trial").fetchall():
        trial = Trial(*row)
        named = checkpoints_of(db, trial.id)
        for start in named:
            problem = _checkpoint(run, db, trial, start)
            whole += problem is None
            if problem is not None:
                found.problems.append(problem)
        known = {start.place for start in named}
        found.lines += [
            f"{run / left}: unreferenced; the next `resume` removes it"
            for left in left_in(run, folder_of(trial))
            if left not in known
        ]
    found.lines.append(f"checkpoints: {whole} intact, each consistent with the lineage")


def _checkpoint(run: Path, db: sqlite3.Connection, trial: Trial, start: ResumePoint) -> str | None:
    try:
        position_of(run, db, trial, start)
    except CheckpointError as error:
        return str(error)
    return None
