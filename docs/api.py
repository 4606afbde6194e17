"""The page of all public names, which cog writes from their signatures and docstrings."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from types import ModuleType

import pathnet_evo
from pathnet_evo import testing

GROUPS = {
    "Runs": ("running", "analysis", "report", "interfaces.summary"),
    "Plugins": ("plugins",),
    "Tasks": (
        "interfaces.tasks",
        "interfaces.supervised",
        "interfaces.acting",
        "interfaces.inputs",
        "interfaces.fingerprint",
    ),
    "Learners": ("interfaces.learn", "interfaces.budget"),
    "Strategies": ("interfaces.strateg", "interfaces.population"),
    "Transfer policies": ("interfaces.policies", "interfaces.rivals"),
    "Observers and records": (
        "interfaces.observers",
        "interfaces.records",
        "interfaces.run_info",
    ),
    "Genotypes, modules and networks": ("core",),
    "Engines and executors": ("engines", "executors", "interfaces"),
    "Worker processes": ("workers",),
    "Errors, names and the process": ("",),
}
"""Titles, and how the modules begin whose names stand below them; the first that fits counts."""

HOME = pathnet_evo.__name__
Node = ast.ClassDef | ast.FunctionDef


def page() -> None:
    """All names of ``pathnet_evo``, in groups, then the kits of ``pathnet_evo.testing``."""
    grouped: dict[str, list[str]] = {title: [] for title in GROUPS}
    for name in sorted(pathnet_evo.__all__, key=str.lower):
        grouped[_group(_home(name))].append(name)
    for title, names in grouped.items():
        print(f"## {title}\n")
        for name in names:
            _print(name, import_module(_home(name)))
    print("## Contract kits\n\nIn `pathnet_evo.testing`; see [contract kits](contracts.md).\n")
    for name in testing.__all__:
        _print(name, import_module(getattr(testing, name).__module__))


def _print(name: str, module: ModuleType) -> None:
    """An entry; three brackets in a row would end what cog writes."""
    print("\n".join(_entry(name, module)).replace("]]]", "]] ]").strip() + "\n")


def _group(home: str) -> str:
    inside = home.removeprefix("pathnet_evo.")
    return next(t for t, starts in GROUPS.items() if inside.startswith(starts))


def _home(name: str) -> str:
    """The module that a public name comes from."""
    if name in pathnet_evo._MODULES:
        return f"{HOME}.{pathnet_evo._MODULES[name]}"
    found = getattr(pathnet_evo, name)
    own = getattr(found, "__module__", "")
    ours = isinstance(found, type) or inspect.isfunction(found)
    return own if ours and own.startswith("pathnet_evo.") else f"{HOME}.{pathnet_evo._HOME[name]}"


def _entry(name: str, module: ModuleType) -> Iterator[str]:
    """A heading, a signature and the docstring; of a class its public methods as well."""
    yield f"### {name}\n"
    if module.__name__.rpartition(".")[2] == name:
        yield f"A module. {inspect.getdoc(module)}\n"
        for node in _tree(module).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                yield _line(node)
        return
    node, text = _defined(name, module)
    yield f"```python\n{_shown(node)}\n```\n"
    yield from _docstring(text)
    if isinstance(node, ast.ClassDef):
        fields = [*_fields(node)]
        methods = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name[0] != "_"]
        if fields or methods:
            yield from ["", "*Members*\n", *fields, *map(_line, methods)]


def _defined(name: str, module: ModuleType) -> tuple[ast.stmt, str]:
    """The statement that defines a name in a module, and its docstring."""
    body = _tree(module).body
    for i, node in enumerate(body):
        if isinstance(node, Node) and node.name == name:
            return node, ast.get_docstring(node) or ""
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return node, _text(body[i + 1 : i + 2])
    raise LookupError(f"{module.__name__} does not define {name}")


def _fields(node: ast.ClassDef) -> Iterator[str]:
    """The documented fields of a class."""
    for i, field in enumerate(node.body):
        if isinstance(field, ast.AnnAssign) and (text := _text(node.body[i + 1 : i + 2])):
            yield f"- `{ast.unparse(field.target)}: {ast.unparse(field.annotation)}`: {_flat(text)}"


def _text(following: list[ast.stmt]) -> str:
    for node in following:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return inspect.cleandoc(str(node.value.value))
    return ""


def _shown(node: ast.stmt) -> str:
    """A definition without its body."""
    if isinstance(node, ast.FunctionDef):
        return _signature(node)
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(b for b in map(ast.unparse, node.bases) if not b.startswith("_"))
        return f"class {node.name}({bases})" if bases else f"class {node.name}"
    return ast.unparse(node).replace("'", '"')


def _signature(node: ast.FunctionDef) -> str:
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    whole = f"{node.name}({ast.unparse(node.args)}){returns}"
    if len(whole) <= 100:
        return whole
    broken = ",\n".join(f"    {part}" for part in _arguments(node.args))
    return f"{node.name}(\n{broken},\n){returns}"


def _arguments(arguments: ast.arguments) -> Iterator[str]:
    """The arguments, one by one."""
    depth, part = 0, ""
    for letter in ast.unparse(arguments):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth:
            yield part.strip()
            part = ""
        else:
            part += letter
    yield part.strip()


def _line(node: ast.FunctionDef) -> str:
    """A method in one line."""
    what = {ast.unparse(decorator) for decorator in node.decorator_list}
    call = node.name if {"property", "cached_property"} & what else f"{node.name}({_own(node)})"
    first = (ast.get_docstring(node) or "").split("\n\n")[0]
    return f"- `{call}`: {_flat(first)}" + (" Abstract." if "abstractmethod" in what else "")


def _own(node: ast.FunctionDef) -> str:
    positional = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
    names = [name for name in positional if name not in ("self", "cls")]
    names += [f"*{node.args.vararg.arg}"] if node.args.vararg else []
    names += [f"{a.arg}=" for a in node.args.kwonlyargs]
    return ", ".join(names + ([f"**{node.args.kwarg.arg}"] if node.args.kwarg else []))


def _docstring(text: str) -> Iterator[str]:
    """A docstring as Markdown; its sections (Args, Returns, ...) as lists."""
    section = ""
    for line in text.replace("``", "`").splitlines():
        if title := re.fullmatch(r"(Args|Attributes|Returns|Yields|Raises):", line):
            section = title[1]
            yield f"*{section}*\n"
        elif section in ("Returns", "Yields"):
            yield line[4:]
        elif section and line.startswith("    ") and not line.startswith("     "):
            name, colon, rest = line.strip().partition(": ")
            named = colon and re.fullmatch(r"[*\w, ]+", name)
            yield f"- `{name}`: {rest}" if named else f"- {line.strip()}"
        elif section and line.strip():
            yield f"  {line.strip()}"
        else:
            yield line[:-1] if line.endswith("::") else line


def _flat(text: str) -> str:
    return " ".join(text.split()).replace("``", "`")


@cache
def _tree(module: ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))
