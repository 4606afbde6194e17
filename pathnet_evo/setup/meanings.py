"""What the fields of a class mean: the docstring below each of them."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from itertools import pairwise


def meanings(described: type) -> dict[str, str]:
    """The docstring below each field of a class, inherited fields included, as a line of Markdown.

    A class without source, such as one typed into a console, has none.
    """
    found: dict[str, str] = {}
    for base in reversed(described.__mro__):
        found |= _own(base)
    return found


def summary(described: object) -> str:
    """The first paragraph of an object's own docstring, as a line of Markdown; or nothing."""
    first = inspect.cleandoc(getattr(described, "__doc__", None) or "").split("\n\n")[0]
    return _line(first)


@cache
def _own(described: type) -> dict[str, str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(described)))
    except (OSError, TypeError, SyntaxError):
        return {}
    found = {}
    for field, text in pairwise(
        tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else ()
    ):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            found[field.target.id] = _line(str(text.value.value))
    return found


def _line(text: str) -> str:
    return " ".join(text.split()).replace("``", "`")
