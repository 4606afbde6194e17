"""Closing idle connections after a short time."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

IDLE = 5.0
"""Seconds for a request to arrive, from the start or from the end of the last response."""


class Connection(H11Protocol):
    """A connection that closes if no complete request arrives in time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._idle: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Receive a request or a part of one."""
        super().data_received(data)
        if self._answering:
            self._leave()

    def on_response_complete(self) -> None:
        """Wait for the next request, unless it has arrived."""
        super().on_response_complete()
        if not self._answering:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
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
