"""The notebook of the docs runs, and its page shows what it shows."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "how-to" / "analyse-a-run.md"


@pytest.fixture(scope="module")
def notebook() -> ModuleType:
    """The script that executes the notebook."""
    spec = importlib.util.spec_from_file_location("docs_notebook", DOCS / "notebook.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_the_notebooks(notebook: ModuleType) -> None:
    """A reader of the page would see other code or results than in the notebook."""
    kept = nbformat.read(notebook.NOTEBOOK, as_version=4)
    nbformat.validate(kept)
    text, pictures = notebook.page(kept)
    assert PAGE.read_text(encoding="utf-8") == text
    for name, picture in pictures.items():
        assert (PAGE.parent / name).read_bytes() == picture
    code = [cell for cell in kept.cells if cell.cell_type == "code"]
    assert all(cell.outputs for cell in code)
    assert "<style" not in text
    assert not re.search(r"(/home/|/root/|/tmp/)", text)


@pytest.mark.slow
def test_the_notebook_runs(
    notebook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user's first notebook would end in a traceback, or show no progress."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    source = nbformat.read(notebook.NOTEBOOK, as_version=4)
    first = next(cell for cell in source.cells if cell.cell_type == "code")
    assert "generations=15" in first.source
    first.source = first.source.replace("seeds=6", "seeds=2").replace("=15", "=6")
    short = tmp_path / "short.ipynb"
    nbformat.write(source, short)
    done = notebook.execute(short)
    cells = [cell for cell in done.cells if cell.cell_type == "code"]
    kinds = [{kind for output in cell.outputs for kind in output.data} for cell in cells]
    before = [c for c in nbformat.read(notebook.NOTEBOOK, as_version=4).cells if "outputs" in c]
    assert kinds == [{kind for output in cell.outputs for kind in output.data} for cell in before]
    progress = cells[0].outputs[0].data["text/html"]
    assert re.findall(r'value="(\d+)"', progress) == ["100"]
