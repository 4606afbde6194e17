"""The ASGI application: a live list of runs, and each run's live page."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from pathnet_evo.report.page import assets
from pathnet_evo.report.page.render import environment, render_live
from pathnet_evo.watch.following import Follower, Followers, Listing
from pathnet_evo.watch.runs import RunsFolder

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; "
    "style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

PLAIN = {"Content-Type": "text/plain; charset=utf-8"}

BEAT = 15.0
"""Seconds between keep-alive messages of a stream."""

LIST_EVERY = 2.0
"""Seconds between checks of the list of runs."""


def application(
    runs: RunsFolder,
    executor: Executor,
    hosts: list[str] | None = None,
    ending: asyncio.Event | None = None,
) -> Starlette:
    """The pages of the runs in a folder; every request only reads.

    Args:
        runs: the runs.
        executor: where they are read.
        hosts: the names by which a browser may call this server, so that no other site's page
            can read runs through it; None is any.
        ending: set as the server ends: streams end then, too.
    """
    pages = _Pages(runs, Followers(executor), ending or asyncio.Event())
    routes = [
        Route("/", pages.index),
        Route("/content", pages.list_content),
        Route("/events", pages.list_events),
        Route("/runs/{name}/", pages.run),
        Route("/runs/{name}/content", pages.run_content),
        Route("/runs/{name}/events", pages.run_events),
        Route("/static/{file}", static),
    ]
    allowed = Middleware(TrustedHostMiddleware, allowed_hosts=hosts or ["*"])
    return Starlette(routes=routes, middleware=[allowed])


class _Pages:
    def __init__(self, runs: RunsFolder, followers: Followers, ending: asyncio.Event) -> None:
        self.runs = runs
        self.listing = Listing(runs)
        self.followers = followers
        self.ending = ending

    async def index(self, request: Request) -> Response:
        """The first page: all runs, or the only one."""
        if self.runs.only is not None:
            return RedirectResponse(f"/runs/{quote(self.runs.only, safe='')}/")
        page = environment().get_template("runs.html")
        return HTMLResponse(page.render(title="Runs", content=await self._list()), headers=HEADERS)

    async def list_content(self, request: Request) -> Response:
        """The list alone."""
        return HTMLResponse(await self._list(), headers=HEADERS)

    async def list_events(self, request: Request) -> Response:
        """A stream of changes of the list."""

        async def versions() -> AsyncIterator[str]:
            before, version = None, 0
            while True:
                now = await self.listing.entries(LIST_EVERY)
                if now != before:
                    before, version = now, version + 1
                    yield _event(version)
                else:
                    yield ": here\n\n"
                await asyncio.sleep(LIST_EVERY)

        return _stream(versions(), self.ending)

    async def run(self, request: Request) -> Response:
        """A run's page, which requests its content."""
        name = request.path_params["name"]
        if self.runs.folder(name) is None:
            raise HTTPException(404)
        return HTMLResponse(render_live(name), headers=HEADERS)

    async def run_content(self, request: Request) -> Response:
        """The latest content of the page."""
        async with self.followers.of(self._folder(request)) as follower:
            await follower.later_than(0)
            if follower.content is None:
                return HTMLResponse(follower.trouble, 503, {**HEADERS, **PLAIN})
            return HTMLResponse(follower.content, headers=HEADERS)

    async def run_events(self, request: Request) -> Response:
        """A stream of changes of the content."""
        folder = self._folder(request)

        async def versions() -> AsyncIterator[str]:
            async with self.followers.of(folder) as follower:
                async for text in _versions(follower):
                    yield text

        return _stream(versions(), self.ending)

    def _folder(self, request: Request) -> Path:
        folder = self.runs.folder(request.path_params["name"])
        if folder is None:
            raise HTTPException(404)
        return folder

    async def _list(self) -> str:
        entries = await self.listing.entries()
        return (
            environment()
            .get_template("list.html")
            .render(
                entries=entries,
                when={entry.name: _moment(entry.changed) for entry in entries},
                address=lambda name: f"/runs/{quote(name, safe='')}/",
            )
        )


async def _versions(follower: Follower) -> AsyncIterator[str]:
    version = 0
    while True:
        try:
            version = await asyncio.wait_for(follower.later_than(version), BEAT)
            yield _event(version)
        except TimeoutError:
            yield ": here\n\n"


def _event(version: int) -> str:
    return f"event: changed\nid: {version}\ndata: {version}\n\n"


def _stream(texts: AsyncIterator[str], ending: asyncio.Event) -> Response:
    until = _until(ending, texts)
    return StreamingResponse(until, media_type="text/event-stream", headers=HEADERS)


async def _until(ending: asyncio.Event, texts: AsyncIterator[str]) -> AsyncIterator[str]:
    """The same texts, until the server ends."""
    end = asyncio.ensure_future(ending.wait())
    following = None
    try:
        while True:
            following = asyncio.ensure_future(anext(texts))
            await asyncio.wait([following, end], return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                return
            yield following.result()
    finally:
        end.cancel()
        if following is not None and following.cancel():
            await asyncio.wait([following])


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


async def static(request: Request) -> Response:
    """Our own scripts and styles, and plotly's."""
    found = _static().get(request.path_params["file"])
    if found is None:
        raise HTTPException(404)
    text, kind = found
    tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'
    headers = {**HEADERS, "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(text, media_type=kind, headers=headers)


@cache
def _static() -> dict[str, tuple[str, str]]:
    return {
        "page.css": (assets.style(), "text/css"),
        "plotly.js": (assets.plotly(), "text/javascript"),
        "report.js": (assets.script("report"), "text/javascript"),
        "live.js": (assets.script("live"), "text/javascript"),
    }
