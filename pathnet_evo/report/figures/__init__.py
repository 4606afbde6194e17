"""The figures of a run for a paper: each alone, as wide as a column, fonts embedded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pathnet_evo.system.extras import require

__all__ = ["save_figures"]


def save_figures(folder: Path, formats: Sequence[str]) -> list[Path]:
    """Write ``figures/`` of a run, finished or not; needs the extra ``figures``.

    Args:
        folder: the run's folder.
        formats: ``png``, ``pdf``, ``svg``.

    Returns:
        The files.

    Raises:
        UserError: matplotlib is not installed.
        RunError: no such run.
        ConfigError: ``run.toml`` is damaged.
        LineageError: ``lineage.sqlite`` is damaged.
        PlaceError: a link lies where a figure is to be written.
    """
    require("figures need", "matplotlib")

    from pathnet_evo.report.figures.save import save

    return save(folder, formats)
