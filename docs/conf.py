"""Sphinx's configuration, and two directives that keep the reference true to the code."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from pydantic_core import PydanticUndefined
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

project = "pathnet-evo"
release = version("pathnet-evo")
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "pathnet-evo"
exclude_patterns = ["_build"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3


class Settings(SphinxDirective):
    """The fields of a settings class, ``module:Class``: name, type, default and description."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """A definition list, a field each."""
        name, _, kind = self.arguments[0].partition(":")
        model = getattr(import_module(name), kind)
        lines = []
        for field, about in model.model_fields.items():
            owner = next(c for c in model.__mro__ if field in c.__dict__.get("__annotations__", {}))  # noqa: RUF063
            docs = ModuleAnalyzer.for_module(owner.__module__).find_attr_docs()
            text = " ".join(docs.get((owner.__name__, field), []))
            lines += [f"`{field}` = `{_default(about)}`", f": {text.strip() or '.'}", ""]
        return self.parse_text_to_nodes(StringList(lines, self.arguments[0]))


def _default(about: Any) -> str:
    if about.is_required():
        return "required"
    value = about.get_default(call_default_factory=True)
    return "nothing" if value in (None, PydanticUndefined) else repr(value)[:100]


class CommandLine(SphinxDirective):
    """Every command with its arguments and options, from the program itself."""

    def run(self) -> list[nodes.Node]:
        """A section a command."""
        from typer.main import get_group

        from pathnet_evo.cli import app

        lines: list[str] = []
        for name, command in get_group(app).commands.items():
            lines += [f"**pathnet-evo {name}**", "", *(command.help or "").splitlines(), ""]
            for given in command.params:
                option = given.param_type_name == "option"
                shown = ", ".join(given.opts) if option else (given.metavar or given.name.upper())
                lines += [f"`{shown}`", f": {getattr(given, 'help', '') or '.'}", ""]
        return self.parse_text_to_nodes(StringList(lines, "pathnet-evo"))


def setup(app: Sphinx) -> None:
    """Make the directives known."""
    app.add_directive("settings", Settings)
    app.add_directive("command-line", CommandLine)
