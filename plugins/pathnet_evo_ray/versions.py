"""Versions of the packages that a result depends on: equal on all nodes, or no run."""

from __future__ import annotations

from collections.abc import Mapping


def installed() -> dict[str, str]:
    """The versions of pathnet-evo, of what it needs, and of plugins, by package."""
    import re
    from importlib.metadata import PackageNotFoundError, entry_points, requires, version

    own = "pathnet-evo"
    try:
        needed = [line for line in requires(own) or () if "extra ==" not in line]
    except PackageNotFoundError:
        return {}
    names = {own, *(re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in needed)}
    names |= {entry.dist.name for entry in entry_points(group="pathnet_evo") if entry.dist}
    found = {}
    for name in sorted(names):
        try:
            found[name] = version(name).partition("+")[0]  # the same for a CPU as for a GPU
        except PackageNotFoundError:
            continue
    return found


def differences(wanted: Mapping[str, str], found: Mapping[str, str]) -> str:
    """What a node has otherwise than here, in words; nothing where all is equal.

    Args:
        wanted: the versions here.
        found: those of the node.
    """
    if "pathnet-evo" not in found:
        return "lacks pathnet-evo: install pathnet-evo[ray] there as it is here"
    names = sorted(wanted.keys() | found.keys())
    differing = [
        f"{name} {found.get(name, 'not at all')} (here {wanted.get(name, 'not at all')})"
        for name in names
        if wanted.get(name) != found.get(name)
    ]
    if not differing:
        return ""
    return f"has {', '.join(differing)}: install the same versions there"
