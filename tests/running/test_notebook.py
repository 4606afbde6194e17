"""What a notebook shows while a run is going on."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from pathnet_evo import launch
from pathnet_evo.interfaces.evaluations import Candidate, Evaluation
from pathnet_evo.interfaces.records import (
    Evaluated,
    GenerationFinished,
    StageStarted,
    TrialFinished,
    TrialStarted,
)
from pathnet_evo.running.notebook import NotebookProgress, in_notebook

ROWS = ((0, 1),)


class Page:
    """A notebook's page: what was drawn on it, in order."""

    def __init__(self) -> None:
        self.drawn: list[str] = []

    def display(self, html: str, display_id: bool) -> Page:
        """Draw something that can be drawn again."""
        assert display_id
        self.update(html)
        return self

    def update(self, html: str) -> None:
        """Draw it again."""
        self.drawn.append(html)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    """The page of the notebook that this test runs in."""
    page = Page()
    ipython, display = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=None)  # type: ignore[attr-defined]
    display.HTML, display.display = str, page.display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return page


def test_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script, or a shell in a terminal, would be full of HTML."""
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not in_notebook()
    shell = ModuleType("IPython")
    for found in (None, SimpleNamespace()):
        shell.get_ipython = lambda found=found: found  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "IPython", shell)
        assert not in_notebook()


def test_bars(page: Page) -> None:
    """A run of hours would show nothing, or an arm's name would be markup."""
    seconds = 0.0
    plan: Any = SimpleNamespace(stages=[0, 1], trials=[0])
    progress = NotebookProgress(plan, Path("<runs>"), now=lambda: seconds)
    progress.on_record(TrialStarted(0, "<b>arm", 0))
    started = (0, 0, "pole", 10, False, None, (ROWS,), ((),), (3,), "accuracy", "examples")
    progress.on_record(StageStarted(*started))
    drawn = len(page.drawn)
    for n in range(5):
        told = Evaluation(Candidate(n, 0, ROWS, None, n), -0.5, examples=1)
        progress.on_record(Evaluated(0, 0, n, n, told, ()))
        progress.on_record(GenerationFinished(0, 0, n, n + 1, -0.5 + 0.1 * n, -0.6))
    assert len(page.drawn) == drawn, "drawn more often than anybody sees"
    seconds = 1.0
    progress.on_record(GenerationFinished(0, 0, 5, 6, None, None))
    last = page.drawn[-1]
    assert re.findall(r'value="(\d+)"', last) == ["25", "50"]
    assert "&lt;b&gt;arm, seed 0" in last
    assert "<b>" not in last
    assert "best -0.100" in last
    progress.on_record(TrialFinished(0, "failed", "the <i>loss</i>"))
    assert "the &lt;i&gt;loss&lt;/i&gt;" in page.drawn[-1]


@pytest.mark.slow
def test_launch_shows_them(page: Page, tmp_path: Path) -> None:
    """A cell that starts a run would look as if it hung, or its callback would hear nothing."""
    heard: list[Any] = []
    short = ["seeds=1", 'arms=["pathnet"]', "stages.*.generations=2", "strategy.population=4"]
    run = launch("digits", short, runs_dir=tmp_path, on_record=heard.append)
    assert f"run {run.folder}" in page.drawn[-1]
    assert re.findall(r'value="(\d+)"', page.drawn[-1]) == ["100"]
    assert "stage 2. second pair" in page.drawn[-1]
    assert isinstance(heard[-1], TrialFinished)
