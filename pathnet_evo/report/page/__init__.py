"""The page of a run: HTML that needs nothing else, or the same served and kept up to date."""

from __future__ import annotations

from pathnet_evo.report.page.render import render_content, render_live, render_page

__all__ = ["render_content", "render_live", "render_page"]
