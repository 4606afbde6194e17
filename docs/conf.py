"""Sphinx's configuration, and directives that keep the pages true to the code."""

from __future__ import annotations

import inspect
import re
from importlib import import_module, metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from pydantic_core import PydanticUndefined
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective
from typing_extensions import is_typeddict

from pathnet_evo.scaffold import write

project = "pathnet-evo"
release = metadata.version("pathnet-evo")
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
        """A definition list, one entry per field."""
        name, _, kind = self.arguments[0].partition(":")
        model = getattr(import_module(name), kind)
        lines = []
        for field, about in model.model_fields.items():
            owner = next(c for c in model.__mro__ if field in inspect.get_annotations(c))
            docs = ModuleAnalyzer.for_module(owner.__module__).find_attr_docs()
            text = " ".join(docs.get((owner.__name__, field), []))
            default = _default(about)
            shown = f"`{field}`" + (f" = `{default}`" if default else "")
            lines += [shown, f": {text.strip() or '.'}", ""]
        return self.parse_text_to_nodes(StringList(lines, self.arguments[0]))


class Tables(SphinxDirective):
    """The tables that a typed dictionary, ``module:Class``, consists of, each with its keys."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """A paragraph and a definition list, a table each, in the order in which they are met."""
        name, _, kind = self.arguments[0].partition(":")
        module = import_module(name)
        docs = ModuleAnalyzer.for_module(name).find_attr_docs()
        waiting, lines = [kind], list[str]()
        for table in waiting:
            lines += [f"**{table}.** {inspect.getdoc(getattr(module, table))}", ""]
            for field, hint in inspect.get_annotations(getattr(module, table)).items():
                text = getattr(hint, "__forward_arg__", str(hint))
                found = re.findall(r"\w+", text)
                waiting += [n for n in found if is_typeddict(getattr(module, n, None))]
                waiting[:] = dict.fromkeys(waiting)
                lines += [f"`{field}`: {text}", f": {' '.join(docs[table, field]).strip()}", ""]
        return self.parse_text_to_nodes(StringList(lines, self.arguments[0]))


class Example(SphinxDirective):
    """The example of a kind of plugin, as ``pathnet-evo new KIND my-lab`` writes it."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The code."""
        kind = self.arguments[0]
        with TemporaryDirectory() as folder:
            code = (write(kind, "my-lab", Path(folder)) / "my_lab" / f"{kind}.py").read_text()
        return [nodes.literal_block(code, code, language="python")]


def _default(about: Any) -> str:
    if about.is_required():
        return "required"
    value = about.get_default(call_default_factory=True)
    return "" if value in (None, PydanticUndefined) else repr(value)[:100]


class CommandLine(SphinxDirective):
    """Every command with its arguments and options, from the program itself."""

    def run(self) -> list[nodes.Node]:
        """A section per command."""
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
    """Register the directives."""
    app.add_directive("settings", Settings)
    app.add_directive("tables", Tables)
    app.add_directive("example", Example)
    app.add_directive("command-line", CommandLine)
