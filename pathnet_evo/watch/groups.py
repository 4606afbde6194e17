"""The matrices and sweeps in a folder, their progress and their best results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pathnet_evo.analysis import series
from pathnet_evo.errors import UserError
from pathnet_evo.store.places import read_plain
from pathnet_evo.watch.runs import Entry, RunsFolder

OVER = ("finished", "failed")
"""States of a run that does not go on."""


def series_in(folder: Path) -> list[tuple[Entry, list[dict[str, Any]]]]:
    """The series directly in a folder, each with its results so far; links lead nowhere."""
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
    kinds = ((path, series.kind_of(path)) for path in inside)
    return [(_entry(path, kind), _results(path, kind)) for path, kind in kinds if kind is not None]


def _entry(folder: Path, kind: series.Kind) -> Entry:
    runs = RunsFolder(folder).entries()
    changed = max((run.changed for run in runs), default=folder.lstat().st_mtime)
    try:
        wanted = kind.wanted(folder)
    except UserError as error:
        return Entry(folder.name, "unreadable", str(error).splitlines()[0], 0.0, changed)
    states = [run.state for run in runs]
    over = sum(state in OVER for state in states)
    state = "interrupted"
    if "running" in states:
        state = "running"
    elif over >= wanted:
        state = "finished"
    share = min(sum(1.0 if run.state in OVER else run.share for run in runs) / wanted, 1.0)
    return Entry(folder.name, state, f"{kind.name}: {over} of {wanted} runs", share, changed)


def _results(folder: Path, kind: series.Kind) -> list[dict[str, Any]]:
    """Each arm's mean speed-up in a matrix, or the best score of a sweep; nothing before those."""
    try:
        found = json.loads(read_plain(folder / kind.results))
        if kind is series.MATRIX:
            means = {arm: about["mean"] for arm, about in found["arms"].items()}
            return [
                {"arm": arm, "stage": None, "score": "speed-up", "mean": float(mean)}
                for arm, mean in means.items()
                if mean is not None
            ]
        (best,) = [t for t in found["trials"] if t["trial"] == found["best"]]
        target = {key: found["target"][key] for key in ("arm", "stage", "score")}
        return [{**target, "mean": float(best["score"])}]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
