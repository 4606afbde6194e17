"""The folder of a sweep: its configuration, its results, and a comparison of its trials."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pathnet_evo.analysis.study import State, Study, SweepTrial
from pathnet_evo.analysis.summary import summarise
from pathnet_evo.errors import UserError
from pathnet_evo.setup.sweeps import Sweep, recorded_sweep
from pathnet_evo.store.directory import claimed
from pathnet_evo.store.places import is_plain
from pathnet_evo.store.reading import RunError
from pathnet_evo.system.replacing import replace

VERSION = 1
"""Version of the schema of ``sweep.json``."""
FILE = "sweep.toml"
"""The file in a sweep's folder with its configuration."""
RESULTS, TABLE, PAGE = "sweep.json", "sweep.csv", "sweep.html"
"""The files with its trials: for programs, for spreadsheets, and for readers."""


def create(sweep: Sweep, runs: Path, name: str | None) -> Path:
    """Create the folder of a sweep, with ``sweep.toml``, which repeats it.

    Raises:
        DirectoryError: a bad name, a name that exists, or a folder that cannot be written.
    """
    with claimed(runs, sweep.name, name) as folder:
        write_config(folder, sweep)
    return folder


def write_config(folder: Path, sweep: Sweep) -> None:
    """Write ``sweep.toml``."""
    replace(folder / FILE, f"# `pathnet-evo sweep {FILE}` repeats this sweep.\n\n{sweep.toml}")


def outcome(run: Path, sweep: Sweep) -> tuple[State, float | None, str | None]:
    """How a trial ended: its state, its score, and why it failed.

    Args:
        run: the trial's folder.
        sweep: what is searched.

    Raises:
        RunError: something else than a signal interrupted it.
    """
    summary = summarise(run, digested=False)
    arm = summary["arms"][sweep.arm]
    if errors := [
        trial["error"] or "failed" for trial in arm["trials"] if trial["state"] == "failed"
    ]:
        return "failed", None, errors[0]
    if broken := [trial["error"] for trial in arm["trials"] if trial["state"] == "interrupted"]:
        raise RunError(f"{run}: interrupted ({broken[0]}); resume the sweep")
    if any(trial["state"] == "stopped" for trial in arm["trials"]):
        return "pruned", None, None
    fitness = arm["stages"][-1]["fitness"]
    if fitness["mean"] is None or fitness["n"] < len(summary["seeds"]):
        return "failed", None, "a fitness is not finite"
    return "finished", fitness["mean"], None


def write_results(folder: Path, sweep: Sweep, trials: Sequence[SweepTrial]) -> dict[str, Any]:
    """Write the results of a sweep, finished or not, as JSON and CSV, and return them."""
    found = results(sweep, trials)
    for name, text in texts(found).items():
        replace(folder / name, text)
    return found


def texts(found: Mapping[str, Any]) -> dict[str, str]:
    """The content of the files with results, by name."""
    return {RESULTS: json.dumps(found, indent=1, default=str) + "\n", TABLE: _csv(found)}


def reread(folder: Path) -> dict[str, Any]:
    """The results of a sweep, from its study.

    Raises:
        UserError: not a sweep's folder, or Optuna is missing.
    """
    sweep = recorded_sweep(folder / FILE)
    study = Study(folder, sweep)
    try:
        return results(sweep, study.trials())
    finally:
        study.close()


def results(sweep: Sweep, trials: Sequence[SweepTrial]) -> dict[str, Any]:
    """The trials of a sweep as plain data, in order.

    Returns:
        ``target`` (arm, stage and score), ``wanted`` trials, the ``searched`` places,
        ``trials`` with their number, folder, state, score and ``values`` by place, and the number
        of the ``best`` finished trial, or None.
    """
    rows = [
        {
            "trial": trial.number,
            "run": trial.name,
            "state": trial.state,
            "score": trial.value,
            "error": trial.error,
            "values": {p: sweep.spaces[p].value(v) for p, v in trial.labels.items()},
        }
        for trial in trials
    ]
    return {
        "version": VERSION,
        "name": sweep.name,
        "target": {
            "arm": sweep.arm,
            "stage": sweep.stage,
            "score": sweep.settings.score,
        },
        "wanted": sweep.settings.trials,
        "searched": list(sweep.spaces),
        "trials": rows,
        "best": next((row["trial"] for row in ranked(rows)), None),
    }


def ranked(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The finished trials, best first, equal ones in order."""
    done = [row for row in rows if row["state"] == "finished" and row["score"] is not None]
    return sorted(done, key=lambda row: (-row["score"], row["trial"]))


def in_order(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """All trials of results: the finished ones, best first, then the others by number."""
    best = ranked(found["trials"])
    return [*best, *(row for row in found["trials"] if row not in best)]


def value_text(value: Any) -> str:
    """A searched value for readers."""
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, default=str)


def check_sweep(folder: Path) -> None:
    """Refuse a folder that holds no sweep.

    Raises:
        UserError: it has no ``sweep.toml``, or a link in its place.
    """
    if not is_plain(folder / FILE):
        raise UserError(f"{folder}: not a sweep's folder (it has no file {FILE})")


def _csv(found: Mapping[str, Any]) -> str:
    """A line a trial; texts stay texts, other values are JSON."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", "run", "state", "score", *found["searched"], "error"])
    for row in found["trials"]:
        values = (row["values"][place] for place in found["searched"])
        plain = [v if isinstance(v, str) else json.dumps(v, default=str) for v in values]
        score = "" if row["score"] is None else repr(row["score"])
        writer.writerow([row["trial"], row["run"], row["state"], score, *plain, row["error"] or ""])
    return text.getvalue()
