"""Writing a run's report into its folder."""

from __future__ import annotations

from pathlib import Path

from pathnet_evo.interfaces.summary import Summary
from pathnet_evo.report.data import read_report_data
from pathnet_evo.report.page import render_page
from pathnet_evo.store.directory import replace
from pathnet_evo.store.reading import intact


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
    folder = Path(folder)
    page = folder / "report.html"
    data = read_report_data(folder, summary)
    with intact(folder / "lineage.sqlite"):
        text = render_page(data)
    replace(page, text)
    return page
