"""Serving the pages until Ctrl-C."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pathnet_evo.errors import UserError


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        UserError: no such host, or the port is taken.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise UserError(
            f"--host {host} --port {port}: cannot listen ({error.strerror}); "
            "--port 0 picks a free port"
        ) from None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def serve(what: Path, listening: socket.socket, host: str, say: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        what: a run's folder, or the folder of all.
        listening: where requests come in.
        host: what it was asked to listen at.
        say: told the address once.
    """
    import uvicorn

    from pathnet_evo.watch.connections import Connection
    from pathnet_evo.watch.reader import reader
    from pathnet_evo.watch.runs import RunsFolder
    from pathnet_evo.watch.server import application

    ending = asyncio.Event()

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            ending.set()
            await super().shutdown(sockets)

    one = (what / "lineage.sqlite").is_file()
    what = what.resolve()
    runs = RunsFolder(what.parent, what.name) if one else RunsFolder(what)
    hosts = [host, "localhost", "127.0.0.1", "[::1]"] if is_loopback(host) else None
    shown = f"[{host}]" if ":" in host else host
    with reader() as executor:
        app = application(runs, executor, hosts, ending)
        config = uvicorn.Config(
            app, http=Connection, log_level="warning", timeout_graceful_shutdown=1
        )
        say(f"http://{shown}:{listening.getsockname()[1]}/")
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
        with suppress(KeyboardInterrupt):
            Server(config).run([listening])
