"""The report of a run: one page, and its figures alone, for any run, finished or not."""

from __future__ import annotations

from pathnet_evo.report.write import write_report

__all__ = ["write_report"]
