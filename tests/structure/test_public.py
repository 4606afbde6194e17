"""What is public is there, and nothing else is asked of plugins' authors."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import pathnet_evo

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        ROOT / "README.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "pathnet_evo" / "scaffold" / "templates").rglob("*.in"),
    ]
)
PUBLIC = {*pathnet_evo.__all__, "testing"}


def test_every_public_name_is_there() -> None:
    """A name that the documentation offers could not be imported."""
    for name in pathnet_evo.__all__:
        assert getattr(pathnet_evo, name) is not None, name


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_pages_use_public_names_alone(page: Path) -> None:
    """An author would build on a module that moves with the next version."""
    text = re.sub(r"<!-- \[\[\[cog.*?\]\]\] -->", "", page.read_text(encoding="utf-8"), flags=re.S)
    named = re.findall(r"(?<![\w/.-])pathnet_evo\.(\w+)(?!\w*\.(?:sh|py|toml))", text)
    imported = re.findall(r"from pathnet_evo import ([\w, ]+)", text)
    names = {*named, *(name.strip() for line in imported for name in line.split(","))}
    assert names - PUBLIC == set()


def test_our_plugins_use_public_names_alone() -> None:
    """Our own plugins would do what those of others cannot."""
    for path in (ROOT / "plugins").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "pathnet_evo":
                assert {alias.name for alias in node.names} <= PUBLIC, path
