"""``pathnet-evo runs``: the runs in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pathnet_evo.cli.terminal import say

if TYPE_CHECKING:
    from pathnet_evo.watch.runs import Entry


def runs(
    folder: Annotated[
        Path,
        typer.Argument(metavar="[FOLDER]", help="Folder that holds runs, a matrix or a sweep."),
    ] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the runs, matrices and sweeps in a folder, newest first.

    Each with its state, its progress, and each arm's latest scores: of a matrix the mean speed-up,
    of a sweep the best score.
    """
    from pathnet_evo.errors import UserError
    from pathnet_evo.watch.groups import series_in
    from pathnet_evo.watch.runs import RunsFolder

    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    entries = RunsFolder(folder).entries()
    found = [*((run, _scores(folder / run.name)) for run in entries), *series_in(folder)]
    found.sort(key=lambda each: -each[0].changed)
    if as_json:
        say(json.dumps([{**vars(entry), "scores": scores} for entry, scores in found], indent=1))
    elif not found:
        say(f"{folder}: no runs")
    else:
        _show(found)


def _show(listed: list[tuple[Entry, list[dict[str, Any]]]]) -> None:
    from rich.table import Table

    from pathnet_evo.cli.layout import show
    from pathnet_evo.cli.terminal import cell

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("run", "state", "done", "stages", "latest scores"):
        table.add_column(cell(title))
    for entry, scores in listed:
        told = ", ".join(f"{s['arm']} {_told(s)}" for s in scores)
        share = f"{100 * entry.share:.0f} %"
        table.add_row(*map(cell, [entry.name, entry.state, share, entry.what, told]))
    show(table)


def _told(score: dict[str, Any]) -> str:
    from pathnet_evo.values.readable import shown, times

    if score["score"] == "speed-up":
        return times(score["mean"])
    return shown(score["mean"], score["score"])


def _scores(folder: Path) -> list[dict[str, Any]]:
    """The mean score of each arm on the last stage that it finished; nothing before a summary."""
    from pathnet_evo.errors import UserError
    from pathnet_evo.store.reading import read_summary

    try:
        summary = read_summary(folder)
    except UserError:
        return []
    found = []
    for arm, result in summary["arms"].items():
        for stage, about in reversed([*zip(result["stages"], summary["stages"], strict=False)]):
            score = about["score"] or ""
            if (mean := stage["scores"].get(score, {}).get("mean")) is not None:
                found.append({"arm": arm, "stage": about["name"], "score": score, "mean": mean})
                break
    return found
