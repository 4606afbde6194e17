"""``pathnet-evo presets``: the experiments that come along."""

from __future__ import annotations

from typing import Annotated

import typer


def presets(
    name: Annotated[str | None, typer.Argument(help="Print this one's TOML.")] = None,
) -> None:
    """List presets and what to expect of each, or print one as TOML, to start one's own from."""
    from pathnet_evo import presets

    if name is not None:
        typer.echo(presets.read(name), nl=False)
        return
    for known in presets.names():
        said = presets.about(known)
        typer.echo(f"{known:17} {said.learned}\n{'':17} {said.expected}")
