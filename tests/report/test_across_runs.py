"""Pages over several runs: side by side, and a matrix of transfer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

from typer.testing import CliRunner

from pathnet_evo.analysis.comparison import compare_runs
from pathnet_evo.cli import app
from pathnet_evo.report.across_runs import matrix_page
from pathnet_evo.values.readable import shown


def test_runs_side_by_side(tmp_path: Path, made_up: SimpleNamespace) -> None:
    """Two strategies could be compared by eye only in two windows, or with other numbers."""
    runs = [tmp_path / "a", tmp_path / "<i>b</i>".replace("/", "|")]
    for run, difference in zip(runs, (0.1, 0.2), strict=True):
        run.mkdir()
        made_up.two_arms(run, [difference, difference + 0.01])
    page = tmp_path / "page.html"
    done = CliRunner().invoke(app, ["compare", *map(str, runs), "--html", str(page)])
    assert done.exit_code == 0, done.output
    text = page.read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "<i>b" not in text
    found = compare_runs(runs)
    data = json.loads(re.findall(r'id="data">(.*?)</script>', text)[0])
    assert data["arms"] == [entry["entry"] for entry in found["entries"]]
    for stage, curves in zip(found["stages"], data["curves"], strict=True):
        assert all(curves.values())
        for result in stage["results"].values():
            assert shown(result["scores"]["test_accuracy"]["mean"], "test_accuracy") in text


def test_a_matrix_of_transfer() -> None:
    """A pair that is not learned yet would be shown as a speed-up, or stop the page."""
    pong = [{"mean": 1.25}, None]
    alien = [{"mean": None, "difference": {"mean": -3.5}}, {"mean": 0.5}]
    matrix = {
        "name": "<b>games</b>",
        "sources": ["pong", "<alien>"],
        "targets": ["boxing", "krull"],
        "arms": {"pathnet": {"speed_up": [pong, alien], "mean": 0.79}},
    }
    text = matrix_page(matrix)
    body = text[text.index("<main") :]
    cells = re.findall(r"<td[^>]*>(?:<b>)?([^<]+)", body)
    assert cells == ["1.25×", "–", "no ratio", "0.50×"]  # noqa: RUF001
    assert "&lt;alien&gt;" in body
    assert len(text) < 50_000
