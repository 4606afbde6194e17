"""Pages over several runs: runs side by side, a matrix of transfer, the trials of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pathnet_evo.analysis.compared import against_references, cannot_tell, said
from pathnet_evo.analysis.sweep import in_order, value_text
from pathnet_evo.report.data import ReportData, read_report_data
from pathnet_evo.report.page.payload import as_json, curve_payload, stage_payload
from pathnet_evo.report.page.render import render_alone
from pathnet_evo.report.words import not_finite


def comparison_page(found: Mapping[str, Any], folders: Sequence[Path]) -> str:
    """The page of a comparison.

    Args:
        found: what ``compare_runs`` returned.
        folders: the runs' folders, in the same order.

    Raises:
        UserError: a run that is not there, or is damaged.
    """
    runs = [read_report_data(folder, digested=False) for folder in folders]
    data_of = {run["run"]: data for run, data in zip(found["runs"], runs, strict=True)}
    entries = [(e["entry"], data_of[e["run"]], e["arm"]) for e in found["entries"]]
    payload = {
        "arms": [name for name, _, _ in entries],
        "stages": [stage_payload(runs[0], stage["stage"]) for stage in found["stages"]],
        "curves": [_curves(entries, stage["stage"]) for stage in found["stages"]],
        "scores": [_scores(runs[0], stage) for stage in found["stages"]],
        "differences": [_differences(runs[0], found, stage) for stage in found["stages"]],
    }
    return render_alone(
        "compare.html",
        "compare",
        title="Runs side by side",
        found=found,
        too_few=[cannot_tell(stage["tests"]) for stage in found["stages"]],
        too_few_over_all=cannot_tell(found["continual_tests"]),
        notes=[
            f"{run['run']}: {said}"
            for run in found["runs"]
            for said in not_finite(run["not_finite"])
        ],
        payload=Markup(as_json(payload)),  # noqa: S704 - escaped as JSON
    )


def matrix_page(matrix: Mapping[str, Any]) -> str:
    """The page of a matrix of transfer.

    Args:
        matrix: what ``transfer_matrix`` of ``analysis.matrix`` returned.
    """
    return render_alone("matrix.html", "plain", charts=False, title=matrix["name"], matrix=matrix)


def sweep_page(found: Mapping[str, Any]) -> str:
    """The page of a sweep.

    Args:
        found: what ``results`` of ``analysis.sweep`` returned.
    """
    rows = [
        {**row, "texts": [value_text(row["values"][place]) for place in found["searched"]]}
        for row in in_order(found)
    ]
    return render_alone(
        "sweep.html", "plain", charts=False, title=found["name"], sweep=found, rows=rows
    )


def _curves(entries: Sequence[tuple[str, ReportData, str]], stage: int) -> dict[str, Any]:
    return {name: curve_payload(data.curve(arm, stage)) for name, data, arm in entries}


def _scores(first: ReportData, stage: Mapping[str, Any]) -> dict[str, Any]:
    name = first.stages[stage["stage"]]["score"]
    found = {entry: result["scores"].get(name) for entry, result in stage["results"].items()}
    return {
        entry: {key: score[key] for key in ("mean", "interval", "seeds")}
        for entry, score in found.items()
        if score is not None and score["mean"] is not None
    }


def _differences(
    first: ReportData, found: Mapping[str, Any], stage: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Each entry minus its reference on the main score, as a forest plot shows it."""
    name = first.stages[stage["stage"]]["score"]
    return [
        {
            **{key: test[key] for key in ("a", "b", "seeds", "mean", "interval")},
            "said": said(test),
        }
        for test in against_references(found, stage["tests"])
        if test["score"] == name
    ]
