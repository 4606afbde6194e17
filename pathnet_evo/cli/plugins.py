"""``pathnet-evo plugins``: which plugins are installed, and which fail to load."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pathnet_evo.cli.layout import definitions, paragraph
from pathnet_evo.cli.terminal import say

if TYPE_CHECKING:
    from pathnet_evo.plugins.registry import Plugin, Registry


def plugins(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List plugins: what each registers, in one line, and errors of those that fail to load."""
    from pathnet_evo.plugins.registry import Registry

    registry = Registry()
    registry.commands(taken=getattr(context.find_root().command, "commands", ()))
    if as_json:
        found = [
            {**asdict(plugin), "about": _about(registry, plugin)} for plugin in registry.plugins
        ]
        say(json.dumps(found, indent=1))
        return
    for plugin in registry.plugins:
        _show(plugin, _about(registry, plugin))


def _show(plugin: Plugin, about: dict[str, dict[str, str]]) -> None:
    from pathnet_evo.plugins.registry import SINGULAR

    package = f"{plugin.distribution} {plugin.version}".strip() or "no distribution"
    paragraph(f"{plugin.name} ({plugin.value or 'unknown'}; {package})")
    for family, names in plugin.names.items():
        told = about.get(family, {})
        kind = SINGULAR.get(family, family.removesuffix("s"))
        definitions([(f"  {kind} {name}", told.get(name, "")) for name in names])
    if hooks := [hook for hook in plugin.hooks if not hook.startswith("register_")]:
        paragraph(f"hooks: {', '.join(hooks)}", indent=2)
    for error in plugin.errors:
        paragraph(f"failed: {error}", indent=2)


def _about(registry: Registry, plugin: Plugin) -> dict[str, dict[str, str]]:
    """What each thing that a plugin registered is, in one line, by family and name."""
    from pathnet_evo.plugins.registry import FAMILIES
    from pathnet_evo.setup.describing import about

    return {
        family: {name: about(registry, family, name) for name in names}
        for family, names in plugin.names.items()
        if family in FAMILIES
    }
