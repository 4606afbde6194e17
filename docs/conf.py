"""Sphinx's configuration: ``sphinx-build -W --keep-going docs docs/_build``."""

from __future__ import annotations

import re
from importlib import metadata

from sphinx.application import Sphinx

project = "pathnet-evo"
release = metadata.version("pathnet-evo")
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "pathnet-evo"
exclude_patterns = ["_build"]
myst_heading_anchors = 3


def add_navigation(app: Sphinx, page: str, source: list[str]) -> None:
    """Turn the links of each section of the front page into a table of contents.

    The page is a plain list of links, so that it reads well without being built.
    """
    if page != "index":
        return
    for title, links in re.findall(r"^## (.+)\n((?:(?!^## ).*\n?)*)", source[0], re.M):
        pages = "\n".join(re.findall(r"^- \[.+?\]\((.+?)\.md\)", links, re.M))
        source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{pages}\n```\n"


def setup(app: Sphinx) -> None:
    """Prepare the front page as it is read."""
    app.connect("source-read", add_navigation)
