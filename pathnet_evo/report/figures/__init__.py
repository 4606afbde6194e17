"""The figures of a run for a paper: each alone, as wide as a column, fonts embedded."""

from __future__ import annotations

from pathnet_evo.report.figures.save import save_figures

__all__ = ["save_figures"]
