"""Limits of the connections of a web server: their number, and the time and size of a request that is not complete.

``limit_concurrency`` of uvicorn counts requests, not connections, and its only time limit is between two requests.
"""

from asyncio import Transport
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.types import ASGIApp

from stream_ocr.viz.thresholds import DASHBOARD

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol as Protocol
else:
    from uvicorn.protocols.http.auto import AutoHTTPProtocol as Protocol


class LimitedProtocol(Protocol):
    """One connection. When there are too many, the oldest without a request ends: such must not keep others out."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Start the time limit of the first request."""
        self._opened_s = self.loop.time()
        self._request_bytes = 0
        waiting = [other for other in self.connections if isinstance(other, LimitedProtocol) and other.is_waiting]
        if len(self.connections) >= DASHBOARD.max_connections:
            victim = min(waiting, key=lambda other: other.opened_s).transport if waiting else transport
            victim.abort()
        super().connection_made(transport)
        self._check_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the time limit."""
        self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse a part of a request."""
        before = self.cycle
        super().data_received(data)
        self._request_bytes = self._request_bytes + len(data) if self.cycle is before else 0
        if self.is_waiting and self._request_bytes > DASHBOARD.max_request_bytes:
            self.transport.abort()

    def handle_websocket_upgrade(self, *arguments: Any) -> None:
        """Hand the connection over; it may be silent from now on."""
        self._timer.cancel()
        super().handle_websocket_upgrade(*arguments)

    @property
    def opened_s(self) -> float:
        """Time of the event loop at which it began."""
        return self._opened_s

    @property
    def is_waiting(self) -> bool:
        """True if no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _check_later(self) -> None:
        self._timer = self.loop.call_later(DASHBOARD.request_timeout_s, self._check, self.cycle)

    def _check(self, last: Any) -> None:
        """End the connection if no request has become complete since the last check."""
        if self.is_waiting and self.cycle is last:
            self.transport.abort()
        else:
            self._check_later()


def server_config(app: ASGIApp, *, shutdown_s: int) -> uvicorn.Config:
    """Return the configuration of a web server. shutdown_s: for open connections to end at a stop, in seconds."""
    return uvicorn.Config(
        app,
        log_level="warning",
        lifespan="off",
        http=LimitedProtocol,
        ws="websockets-sansio",
        ws_max_size=DASHBOARD.max_socket_message_bytes,
        server_header=False,
        access_log=False,  # it would contain the token
        timeout_graceful_shutdown=shutdown_s,
    )
