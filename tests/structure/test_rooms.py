"""The package's rooms: no import circle, and no name that two things have."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(
    [ROOT / "pathnet_evo", *(ROOT / "plugins").glob("pathnet_evo_*")], key=lambda path: path.name
)
FAMILIES = ("cli", "executors", "interfaces")
"""Rooms where a file is called as its command, family or plugin, whatever others are."""


def modules(package: Path) -> dict[str, Path]:
    """Every module of a package, a package's own ``__init__`` under the package's name."""
    found = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports(package: Path) -> dict[str, set[str]]:
    """What each module imports of its own package, in functions and for type checkers as well.

    The package's root is left out: its public names are imported when they are asked for.
    """
    known = modules(package)
    del known[package.name]
    found: dict[str, set[str]] = {}
    for name, path in known.items():
        wanted = {
            module
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            for module in _imported(node, known)
        }
        # importing a.b.c executes a.b as well
        rooms = {".".join(m.split(".")[:i]) for m in wanted for i in range(2, m.count(".") + 1)}
        rooms = {room for room in rooms & set(known) if not f"{name}.".startswith(f"{room}.")}
        found[name] = (wanted | rooms) - {name}
    return found


def _imported(node: ast.AST, known: dict[str, Path]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in known)
    elif isinstance(node, ast.ImportFrom) and node.module:
        for alias in node.names:
            full = f"{node.module}.{alias.name}"
            if full in known:
                yield full
            elif node.module in known:
                yield node.module


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Modules that remain once all that is in no circle was taken away, again and again."""
    left = {name: set(wanted) for name, wanted in graph.items()}
    while True:
        wanted = set().union(*left.values()) if left else set()
        out = {name for name, own in left.items() if not own & set(left) or name not in wanted}
        if not out:
            return [sorted(left)] if left else []
        left = {name: own - out for name, own in left.items() if name not in out}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_no_import_circle(package: Path) -> None:
    """Two modules that need each other are one thing in two files; neither can be replaced."""
    assert circles(imports(package)) == []


def test_a_circle_is_found() -> None:
    """The check above would see nothing."""
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}
    assert circles(graph) == [["b", "c"]]


def test_no_two_modules_of_one_name() -> None:
    """A file that a review names would be one of two; commands and contracts are families."""
    homes = defaultdict(list)
    for name, path in modules(ROOT / "pathnet_evo").items():
        if path.name != "__init__.py" and name.split(".")[1] not in FAMILIES:
            homes[path.name].append(name)
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


def test_no_two_classes_of_one_name() -> None:
    """A name in a traceback, or in the documentation, would mean either."""
    homes = defaultdict(list)
    for name, path in modules(ROOT / "pathnet_evo").items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(name)
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}
