"""What an installation weighs besides torch: packages and megabytes, with each extra.

    pip install '.[all]' && python benchmarks/sizes.py

Sums the files of the distributions that are installed here, and of what they require. What torch
requires is left out.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
NO_FEATURES = ("all", "benchmark", "docs", "test")
"""Extras that are no features."""


def required(wanted: Iterable[str]) -> dict[str, Distribution]:
    """The distributions that some requirements bring, by name."""
    found: dict[tuple[str, frozenset[str]], Distribution] = {}
    waiting = [Requirement(text) for text in wanted]
    while waiting:
        asked = waiting.pop()
        key = (re.sub(r"[-_.]+", "-", asked.name).lower(), frozenset(asked.extras))
        if key in found or (asked.marker and not asked.marker.evaluate({"extra": ""})):
            continue
        try:
            found[key] = distribution(asked.name)
        except PackageNotFoundError:  # pip may know an extra by another spelling, and bring nothing
            continue
        for further in map(Requirement, found[key].requires or []):
            extras = ("", *asked.extras)
            if further.marker is None or any(further.marker.evaluate({"extra": e}) for e in extras):
                further.marker = None
                waiting.append(further)
    return {name: about for (name, _), about in found.items()}


def size(about: Distribution) -> int:
    """Bytes of a distribution's files."""
    paths = (about.locate_file(file) for file in about.files or ())
    return sum(os.path.getsize(str(path)) for path in paths if os.path.exists(str(path)))


def main() -> None:
    """Print a table in Markdown."""
    torch = required(["torch"])
    features = {n: r for n, r in PROJECT["optional-dependencies"].items() if n not in NO_FEATURES}
    rows = {"": PROJECT["dependencies"]}
    rows |= {name: [*PROJECT["dependencies"], *extra] for name, extra in features.items()}
    rows["all"] = [*PROJECT["dependencies"], *(text for r in features.values() for text in r)]
    print("| extra | packages | MB |\n| --- | --- | --- |")
    for name, wanted in rows.items():
        own = {n: d for n, d in required(wanted).items() if n not in torch}
        print(f"| {name} | {len(own)} | {sum(map(size, own.values())) / 1e6:.0f} |")


if __name__ == "__main__":
    main()
