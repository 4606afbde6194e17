"""``pathnet-evo presets``: the built-in experiments."""

from __future__ import annotations

from typing import Annotated

import typer

from pathnet_evo.cli.terminal import say


def presets(
    name: Annotated[str | None, typer.Argument(help="Preset to print as TOML.")] = None,
) -> None:
    """List the presets and what to expect of each, or print one as TOML."""
    from pathnet_evo import presets

    if name is not None:
        say(presets.read(name), end="")
        return
    for known in presets.names():
        said = presets.about(known)
        say(f"{known:17} {said.learned}\n{'':17} {said.expected}")
