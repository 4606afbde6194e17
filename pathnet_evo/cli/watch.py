"""``pathnet-evo watch``: runs in a browser while they work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pathnet_evo.cli.terminal import say


def watch(
    what: Annotated[
        Path, typer.Argument(metavar="[RUN|FOLDER]", help="A run's folder, or the folder of all.")
    ] = Path("runs"),
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8642,
) -> None:
    """Serve the pages of runs, kept up to date; nothing is written. Ctrl-C ends it."""
    from pathnet_evo.errors import UserError
    from pathnet_evo.watch.serving import is_loopback, listen, serve

    if not what.is_dir():
        raise UserError(f"{what}: no such folder")
    socket = listen(host, port)
    if not is_loopback(host):
        say(f"warning: whoever reaches {host} can read these runs", err=True)
    serve(what, socket, host, say)
