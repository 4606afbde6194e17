"""Plugins to start from: small installable packages, each written from a few templates."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from pathnet_evo.errors import UserError
from pathnet_evo.plugins.registry import Registry
from pathnet_evo.values.suggestions import did_you_mean

FAMILIES = {
    "task": "tasks",
    "learner": "learners",
    "strategy": "strategies",
    "policy": "policies",
    "modules": "modules",
    "executor": "executors",
    "observer": "observers",
}
"""What can be written, and the family that it is registered with."""
A_KIND = {"modules": "A module", "executor": "An executor", "observer": "An observer"}


def write(kind: str, name: str, into: Path, example: str | None = None) -> Path:
    """Write a plugin's package.

    Args:
        kind: one of ``FAMILIES``.
        example: the folder of templates that the example is from. Default: the kind's.
        name: the package's name; dashes stand for underscores.
        into: the folder that gets the package's folder.

    Returns:
        The new folder.

    Raises:
        UserError: no such kind, no name for a package, a package or a plugin of that name exists,
            or the folder cannot be written.
    """
    if kind not in FAMILIES:
        meant, have = did_you_mean(kind, FAMILIES), ", ".join(FAMILIES)
        raise UserError(f"no kind {kind!r}.{meant} (have: {have})")
    package = name.replace("-", "_")
    if not re.fullmatch(r"[a-z]([a-z0-9_]*[a-z0-9])?", package) or keyword.iskeyword(package):
        raise UserError(
            f"{name!r}: not a name for a package (lower-case letters, digits, - and _, "
            "a letter first, no word of Python's)"
        )
    if package in sys.stdlib_module_names or package.startswith("pathnet_evo") or _found(package):
        raise UserError(f"{name!r}: there is a package of that name; choose another")
    registered = name.replace("_", "-")
    if registered in Registry().names(FAMILIES[kind]):
        what = A_KIND.get(kind, f"a {kind}").lower()
        raise UserError(f"{name!r}: there is {what} of that name; choose another")
    folder = into / name
    words = {
        "name": registered,
        "package": package,
        "kind": kind,
        "A_kind": A_KIND.get(kind, f"A {kind}"),
        "family": FAMILIES[kind],
        "Class": "".join(part.capitalize() for part in package.split("_")),
    }
    try:
        into.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
        for place, template in _templates(kind, example or kind).items():
            path = folder / place.format(**words)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_filled(template, words), encoding="utf-8")
    except FileExistsError as error:
        raise UserError(f"{error.filename}: exists; choose another name or --into") from None
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be written ({error.strerror})") from None
    return folder


def _templates(kind: str, example: str) -> dict[str, str]:
    """What a package consists of: templates by where they go."""
    return {
        "pyproject.toml": "pyproject.toml",
        "README.md": f"{example}/README.md",
        "{package}/__init__.py": "package.py",
        "{package}/" + f"{kind}.py": f"{example}/example.py",
        "tests/test_{package}.py": f"{example}/contract.py",
        "run.toml": f"{example}/run.toml",
    }


def _filled(template: str, words: dict[str, str]) -> str:
    text = files(__package__).joinpath("templates", f"{template}.in").read_text(encoding="utf-8")
    return re.sub(r"@(\w+)@", lambda found: words[found[1]], text)


def _found(package: str) -> bool:
    """Whether a package of that name is installed."""
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return True
