"""``pathnet-evo plugins``: which plugins are installed, and which fail to load."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from pathnet_evo.cli.terminal import say


def plugins(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List plugins, the names they register, and errors of those that fail to load."""
    from pathnet_evo.plugins.registry import Registry

    registry = Registry()
    registry.commands(taken=getattr(context.find_root().command, "commands", ()))
    if as_json:
        say(json.dumps([asdict(plugin) for plugin in registry.plugins], indent=1))
        return
    for plugin in registry.plugins:
        package = f"{plugin.distribution} {plugin.version}".strip() or "no distribution"
        say(f"{plugin.name} ({plugin.value or 'unknown'}; {package})")
        if plugin.hooks:
            say(f"  hooks: {', '.join(plugin.hooks)}")
        for family, names in plugin.names.items():
            say(f"  {family}: {', '.join(names)}")
        for error in plugin.errors:
            say(f"  failed: {error}")
