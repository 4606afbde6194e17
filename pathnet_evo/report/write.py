"""Writing a run's report into its folder."""

from __future__ import annotations

from pathlib import Path

from pathnet_evo.interfaces.summary import Summary
from pathnet_evo.report.data import read_report_data
from pathnet_evo.report.page import render_page
from pathnet_evo.store.reading import intact
from pathnet_evo.system.replacing import replace

PAGE = "report.html"
"""The file with the report."""


def write_report(folder: Path, summary: Summary | None = None) -> Path:
    """Write ``report.html`` from a run's lineage, finished or not.

    Args:
        folder: the run's folder.
        summary: the run's summary; None computes it.

    Returns:
        The path of the page.

    Raises:
        RunError: no such run.
        ConfigError: ``run.toml`` is damaged.
        LineageError: ``lineage.sqlite`` is damaged.
    """
    page = Path(folder) / PAGE
    replace(page, report_text(Path(folder), summary))
    return page


def report_text(folder: Path, summary: Summary | None = None) -> str:
    """The content of ``report.html``; see ``write_report``."""
    data = read_report_data(folder, summary)
    with intact(folder / "lineage.sqlite"):
        return render_page(data)
