"""The report of a run: one page and its figures, for any run, finished or not."""

from __future__ import annotations

from pathnet_evo.report.page import write_report

__all__ = ["write_report"]
