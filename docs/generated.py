"""What cog writes into the pages: tables and examples that follow from the code.

    cog -r -P -I docs -I benchmarks docs/*.md docs/*/*.md

brings the pages up to date; ``--check`` in place of ``-r`` fails if one is not.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import strategies_table
from typer.main import get_group
from typing_extensions import is_typeddict

from pathnet_evo.cli import app
from pathnet_evo.cli.status import MEANINGS
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.scaffold import write
from pathnet_evo.setup import describing
from pathnet_evo.setup.meanings import meanings, summary
from pathnet_evo.store.schema import SCHEMA


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table; bars within cells are escaped."""
    print(f"| {' | '.join(titles)} |\n|{' --- |' * len(titles)}")
    for row in rows:
        print(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |")


def section(kind: str, name: str = "") -> None:
    """The options of a section or of a plugin."""
    _options(describing.describe(Registry(), kind, name).options)


def settings(path: str) -> None:
    """The fields of a model, ``module:Class``."""
    _options(describing.model_options(_found(path)))


def plugins(kind: str) -> None:
    """The plugins of a kind that come along, each in one line."""
    registry, family = Registry(), describing.FAMILIES[kind]
    names = describing.names(registry, kind)
    rows = ((f"`{name}`", describing.about(registry, family, name)) for name in names)
    table([kind, "what it is"], rows)


def tables(path: str) -> None:
    """The tables that a typed dictionary, ``module:Class``, consists of, each with its keys."""
    module = import_module(path.partition(":")[0])
    waiting = [path.partition(":")[2]]
    for name in waiting:
        found = getattr(module, name)
        print(f"### {name}\n\n{summary(found)}\n")
        told, rows = meanings(found), []
        for field, hint in inspect.get_annotations(found).items():
            text = getattr(hint, "__forward_arg__", str(hint))
            below = [n for n in re.findall(r"\w+", text) if is_typeddict(getattr(module, n, None))]
            waiting += [n for n in below if n not in waiting]
            rows.append((f"`{field}`", f"`{text}`", told[field]))
        table(["key", "type", "meaning"], rows)
        print()


def example(kind: str) -> None:
    """The example of a kind of plugin, as ``pathnet-evo new KIND my-lab`` writes it."""
    with TemporaryDirectory() as folder:
        code = (write(kind, "my-lab", Path(folder)) / "my_lab" / f"{kind}.py").read_text()
    print(f"```python\n{code}```")


def commands() -> None:
    """Every command that comes along, with its arguments and options, from the program itself."""
    for name, command in get_group(app).commands.items():
        print(f"### pathnet-evo {name}\n\n{inspect.cleandoc(command.help or '')}\n")
        rows = [
            (f"`{_name(given)}`", (getattr(given, "help", "") or "").replace("*", r"\*"))
            for given in command.params
        ]
        if rows:
            table(["argument or option", "meaning"], rows)
            print()


def statuses() -> None:
    """The exit statuses of commands."""
    table(["status", "meaning"], ((str(int(n)), text) for n, text in MEANINGS.items()))


def lineage() -> None:
    """The tables of a lineage."""
    print(f"```sql\n{SCHEMA.strip()}\n```")


def strategies() -> None:
    """The tables of ``benchmarks/strategies_table.py``, from the raw lines in the repository."""
    for name in ("digits", "mnist"):
        lines = Path(__file__).parents[1] / "benchmarks/results" / f"strategies-{name}.jsonl"
        print(f"### {name}\n")
        print("\n".join(strategies_table.tables(strategies_table.read(lines))) + "\n")


def _found(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def _name(given: Any) -> str:
    if given.param_type_name != "option":
        return str(given.metavar or given.name.upper())
    return " ".join([", ".join(given.opts), *([given.metavar] if given.metavar else [])])


def _options(options: Iterable[describing.Option]) -> None:
    table(
        ["key", "takes", "default", "meaning"],
        ((f"`{o.key}`", f"`{o.type}`", _default(o), o.meaning) for o in options),
    )


def _default(option: describing.Option) -> str:
    if option.required:
        return "required"
    shown = "" if option.default is None else describing.toml_value(option.default)
    return f"`{shown}`" if 0 < len(shown) <= describing.LONGEST else ""
