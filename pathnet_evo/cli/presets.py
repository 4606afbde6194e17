"""``pathnet-evo presets``: the built-in experiments."""

from __future__ import annotations

from typing import Annotated

import typer

from pathnet_evo.cli.layout import definitions
from pathnet_evo.cli.terminal import say


def _names(incomplete: str) -> list[str]:
    from pathnet_evo import presets

    return [name for name in presets.names() if name.startswith(incomplete)]


def presets(
    name: Annotated[
        str | None, typer.Argument(help="Preset to print as TOML.", autocompletion=_names)
    ] = None,
) -> None:
    """List the presets and what to expect of each, or print one as TOML."""
    from pathnet_evo import presets

    if name is not None:
        say(presets.read(name), end="")
        return
    told = {known: presets.about(known) for known in presets.names()}
    definitions([(known, f"{said.learned}\n{said.expected}") for known, said in told.items()])
