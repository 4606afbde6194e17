"""Readers that leave, and connections that stay."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from pathnet_evo.watch import connections
from pathnet_evo.watch.following import Listing
from pathnet_evo.watch.runs import RunsFolder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def without_a_reader(*arguments: str) -> int:
    """The status of a command whose output nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    program = "from pathnet_evo.cli import main; main()"
    command = [sys.executable, "-c", program, *arguments]
    ended = subprocess.run(command, stdout=writing, stderr=writing, timeout=100, check=False)
    os.close(writing)
    return ended.returncode


def test_a_comparison_whose_reader_leaves(foreign: Path) -> None:
    """``pathnet-evo compare ... | head`` would end with status 1 in a script."""
    assert without_a_reader("compare", str(foreign)) == 0


def test_a_check_whose_reader_leaves(foreign: Path, spoil: Callable[[Path, str], None]) -> None:
    """A script would take a damaged run for a whole one, as ``check`` was not read to its end."""
    spoil(foreign, "CREATE TRIGGER t AFTER UPDATE ON trials BEGIN DELETE FROM evaluations; END")
    assert without_a_reader("check", str(foreign)) == 1


def test_a_run_whose_reader_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strict: Callable[[str], Any], tiny: list[str]
) -> None:
    """``pathnet-evo run ... 2>&1 | head`` would end with the reader of its log."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    sets = [f"--set={setting}" for setting in tiny]
    runs = str(tmp_path / "runs")
    assert without_a_reader("run", "--name=run", f"--runs-dir={runs}", *sets) == 0
    assert strict((tmp_path / "runs/run/summary.json").read_text())["state"] == "finished"


async def served(application: Callable[..., Any]) -> tuple[asyncio.Server, int]:
    """A server of our connections."""
    config = uvicorn.Config(application, http=connections.Connection, log_config=None)
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: connections.Connection(config, state, {}), "127.0.0.1", 0
    )
    return server, server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\n"])
def test_a_connection_that_never_asks(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    """Open connections would be kept for ever, until there are no more to be had."""
    monkeypatch.setattr(connections, "IDLE", 0.05)

    async def ask() -> bytes:
        server, port = await served(lambda scope, receive, send: None)
        async with server:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(said)
            found = await asyncio.wait_for(reader.read(), 60)
            writer.close()
        return found

    assert asyncio.run(ask()) == b""


def test_an_answer_that_takes_long_is_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams of events would be closed as idle, and pages stand still."""
    monkeypatch.setattr(connections, "IDLE", 0.05)

    async def ask() -> bytes:
        go_on = asyncio.Event()

        async def application(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await go_on.wait()
            await send({"type": "http.response.body", "body": b"the end"})

        server, port = await served(application)
        async with server:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readline()
            idle, other = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.wait_for(idle.read(), 60)  # begun later, and closed by now
            go_on.set()
            found = await asyncio.wait_for(reader.read(), 60)
            writer.close()
            other.close()
        return found

    assert b"the end" in asyncio.run(ask())


def test_three_hundred_browsers_on_the_list_of_runs(foreign: Path) -> None:
    """Each would have every run read again, and all wait for it."""
    runs = RunsFolder(foreign.parent)
    read = []

    class Counted:
        def entries(self) -> list[Any]:
            read.append(1)
            return runs.entries()

    async def ask() -> list[Any]:
        listing = Listing(Counted())  # type: ignore[arg-type]
        found = await asyncio.gather(*(listing.entries() for _ in range(300)))
        await listing.entries(60.0)
        return found

    found = asyncio.run(ask())
    assert len(read) == 1
    assert [entry.name for entry in found[299]] == ["foreign"]
