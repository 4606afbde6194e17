"""Connections that are open and ask for nothing: each is closed after a moment."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

IDLE = 5.0
"""Seconds that a connection may take to ask, from its start or from the last answer's end."""


class Connection(H11Protocol):
    """A connection that is closed where no whole request came in time, however slowly it comes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._idle: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take a request, or a part of one, in."""
        super().data_received(data)
        if self._answering:
            self._leave()

    def on_response_complete(self) -> None:
        """Wait for the next request, if it is not there already."""
        super().on_response_complete()
        if not self._answering:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._leave()
        super().connection_lost(exc)

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _watch(self) -> None:
        self._leave()
        self._idle = self.loop.call_later(IDLE, self.transport.close)

    def _leave(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
