"""``pathnet-evo presets``: the experiments that come along."""

from __future__ import annotations

from typing import Annotated

import typer

from pathnet_evo.cli.terminal import say


def presets(
    name: Annotated[str | None, typer.Argument(help="Print this one's TOML.")] = None,
) -> None:
    """List presets, or print one as TOML, to start one's own from."""
    from pathnet_evo import presets

    if name is not None:
        say(presets.read(name), end="")
        return
    for known in presets.names():
        first = presets.read(known).splitlines()[0].lstrip("# ")
        say(f"{known:17} {first}")
