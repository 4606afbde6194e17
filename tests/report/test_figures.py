"""Figures for papers: each in a file of its own, with fonts that a printer has."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import matplotlib
import pytest
from PIL import Image
from typer.testing import CliRunner

from pathnet_evo.cli import app
from pathnet_evo.report.figures import save_figures
from pathnet_evo.report.figures.heatmap import matrix
from pathnet_evo.report.figures.style import COLUMN
from pathnet_evo.values.readable import times

EVERY = {
    *(f"{name}-{i}" for name in ("learning-curve", "scores", "path", "population") for i in (1, 2)),
    *(f"{name}-{i}" for name in ("ancestry", "usage") for i in (1, 2)),
    "reuse-2",
    "transfer",
}


@pytest.mark.slow
def test_every_figure_alone(tmp_path: Path, made_up: SimpleNamespace) -> None:
    """A paper would lack a figure that the page shows, or could not print its letters."""
    made_up.two_arms(tmp_path, [0.1, 0.2, 0.15])
    done = CliRunner().invoke(app, ["report", str(tmp_path), "--figures", "png,pdf,svg"])
    assert done.exit_code == 0, done.output
    names = {path.stem for path in (tmp_path / "figures").iterdir()}
    assert names == EVERY
    with Image.open(tmp_path / "figures" / "scores-1.png") as image:
        assert image.width == pytest.approx(300 * COLUMN, abs=2)
    pdf = (tmp_path / "figures" / "learning-curve-1.pdf").read_bytes()
    assert b"/Subtype /CIDFontType2" in pdf or b"/CIDFontType2" in pdf  # TrueType, embedded
    assert b"/FontFile2" in pdf
    svg = (tmp_path / "figures" / "learning-curve-1.svg").read_text()
    assert "evaluations</text>" in svg
    assert "<script" not in svg


def test_a_wrong_format_is_told(tmp_path: Path, made_up: SimpleNamespace) -> None:
    """A misspelt format would be found out by a missing file."""
    made_up.two_arms(tmp_path, [0.1])
    done = CliRunner().invoke(app, ["report", str(tmp_path), "--figures", "png,gif"])
    assert str(done.exception) == "--figures png,gif: no format 'gif' (have: png, pdf, svg)"


@pytest.mark.slow
def test_settings_of_matplotlib_are_left_alone(tmp_path: Path, made_up: SimpleNamespace) -> None:
    """Figures written in a notebook would change the user's own figures."""
    made_up.two_arms(tmp_path, [0.1])
    with matplotlib.rc_context({"font.size": 31.0}):
        save_figures(tmp_path, ["svg"])
        assert matplotlib.rcParams["font.size"] == 31.0


def test_figures_of_an_unfinished_run(tmp_path: Path, made_up: SimpleNamespace) -> None:
    """A run could not be shown before it ends."""
    made_up.toml(tmp_path, 1, ["pathnet"], stages=1)
    made_up.lineage(tmp_path, made_up.episodes(0))
    assert save_figures(tmp_path, ["png"]) == []


def test_a_matrix_of_ratios() -> None:
    """A pair that was not measured would be drawn as a ratio, or stop the figure."""
    figure = matrix(["pong", "alien"], ["alien", "pong"], [[1.25, None], [0.5, None]])
    (axes,) = figure.axes
    assert [t.get_text() for t in axes.texts] == [times(v) for v in (1.25, None, 0.5, None)]
