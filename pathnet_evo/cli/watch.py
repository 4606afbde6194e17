"""``pathnet-evo watch``: live pages of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pathnet_evo.cli.terminal import say


def watch(
    what: Annotated[
        Path, typer.Argument(metavar="[RUN|FOLDER]", help="A run, or a folder of runs.")
    ] = Path("runs"),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 picks a free one.")] = 8642,
) -> None:
    """Serve live pages of runs, read-only, until Ctrl-C."""
    from pathnet_evo.errors import UserError
    from pathnet_evo.system.extras import require
    from pathnet_evo.watch.serving import is_loopback, listen, serve

    require("watch needs", "starlette", "uvicorn")
    if not what.is_dir():
        raise UserError(f"{what}: no such folder")
    socket = listen(host, port)
    if not is_loopback(host):
        say(f"warning: anyone who can reach {host} can read these runs", err=True)
    serve(what, socket, host, say)
