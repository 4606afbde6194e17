"""Executes the notebook of the docs and writes its Markdown page: ``python docs/notebook.py``.

Needs ``pip install '.[test]'``. The page has the notebook's outputs, for readers and code hosts
that do not show notebooks.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
from nbclient import NotebookClient

DOCS = Path(__file__).parent
NOTEBOOK = DOCS / "how-to" / "analyse-a-run.ipynb"
IMAGES = "../images/analyse-a-run"
TIMEOUT = 600
"""Seconds that a cell may take."""


def execute(source: Path) -> Any:
    """A notebook with its outputs, run in an empty folder.

    Raises:
        CellExecutionError: a cell raised.
    """
    notebook = nbformat.read(source, as_version=4)
    with TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=TIMEOUT, resources=resources).execute()
    for cell in notebook.cells:
        cell.metadata = {}
        cell.get("outputs", [])[:] = [o for o in cell.get("outputs", []) if "text" not in o]
    notebook.metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
    }
    return notebook


def page(notebook: Any) -> tuple[str, dict[str, bytes]]:
    """The Markdown of a notebook, and its pictures by file name."""
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            continue
        parts.append(f"```python\n{cell.source}\n```")
        for data in (output.data for output in cell.outputs):
            if "image/png" in data:
                name = f"{IMAGES}-{len(pictures) + 1}.png"
                pictures[name] = base64.b64decode(data["image/png"])
                parts.append(f"![What the code above draws]({name})")
            else:
                parts += _shown(data)
    return "\n\n".join(parts) + "\n", pictures


def _shown(data: Any) -> Iterator[str]:
    """A table as HTML, unless it brings a style sheet, which code hosts show as text."""
    html = data.get("text/html", "")
    if html and "<style" not in html:
        yield html
    else:
        yield f"```text\n{data['text/plain']}\n```"


def main() -> None:
    """Execute the notebook, and write it, its page and its pictures."""
    notebook = execute(NOTEBOOK)
    nbformat.write(notebook, NOTEBOOK)
    text, pictures = page(notebook)
    NOTEBOOK.with_suffix(".md").write_text(text, encoding="utf-8")
    for name, picture in pictures.items():
        (NOTEBOOK.parent / name).write_bytes(picture)


if __name__ == "__main__":
    main()
