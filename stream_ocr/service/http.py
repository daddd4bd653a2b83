"""HTTP server of a run: /healthz, /readyz, /metrics, and the preview for this machine and for those with a ticket."""

import io
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

from stream_ocr.errors import SettingsError
from stream_ocr.service.metrics import CONTENT_TYPE
from stream_ocr.service.thresholds import THRESHOLDS

Response = tuple[HTTPStatus, bytes]
LocalHandler = Callable[[str, Mapping[str, str]], tuple[str, bytes] | None]
"""Takes path and query; returns content type and body, or None for "not found"."""

Admission = Callable[[str, Mapping[str, str]], bool]
"""Takes path and query; returns whether any machine may have the answer."""

_LOCAL_NAMES = {"localhost", "127.0.0.1", "[::1]"}


class StatusServer:
    """Serves in threads while it is entered, with limits of connections, bytes and time."""

    def __init__(
        self,
        listener: socket.socket,
        routes: Mapping[str, Callable[[], Response]],
        local: LocalHandler = lambda *_: None,
        admits: Admission = lambda *_: False,
    ) -> None:
        """listener: from ``open_listener``; the server closes it. routes: by path, for everybody.

        local: handles all other paths, for this machine only. admits: which of its answers others may have as well.
        """

        class Handler(BaseHTTPRequestHandler):
            timeout = THRESHOLDS.http_timeout_s

            def setup(self) -> None:
                super().setup()
                self.rfile = io.BytesIO(_read_head(self.connection))
                self.connection.settimeout(self.timeout)

            def do_GET(self) -> None:
                path, _, encoded = self.path.partition("?")
                query = dict(parse_qsl(encoded))
                content_type = CONTENT_TYPE
                if route := routes.get(path):
                    status, body = route()
                elif (self._is_local() or admits(path, query)) and (found := local(path, query)):
                    status, (content_type, body) = HTTPStatus.OK, found
                else:
                    status, body = HTTPStatus.NOT_FOUND, b"not found\n"
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.send_header("X-Content-Type-Options", "nosniff")
                self.end_headers()
                self.wfile.write(body)

            def _is_local(self) -> bool:
                """Return whether a program of this machine asks, and not a web page by DNS rebinding."""
                name = self.headers.get("Host", "").rpartition(":")[0]
                return name in _LOCAL_NAMES and ipaddress.ip_address(self.client_address[0]).is_loopback

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - name of the base class
                """Log nothing: requests come every few seconds."""

        self._server = _Server(listener, Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(THRESHOLDS.http_poll_s,), name="status", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def is_alive(self) -> bool:
        """True while it serves."""
        return self._thread.is_alive()


def open_listener(listen: str) -> socket.socket:
    """Return a socket that listens at HOST:PORT. Raise SettingsError if the address is not available."""
    host, _, port = listen.rpartition(":")
    try:
        return socket.create_server((host, int(port)))
    except (OSError, OverflowError) as error:
        raise SettingsError(f"service.listen is {listen}, which is not available: {error}.") from error


class _Server(ThreadingHTTPServer):
    """Ends the oldest connection when there are too many: half-open ones must not keep others out."""

    def __init__(self, listener: socket.socket, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(listener.getsockname()[:2], handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self._lock = threading.Lock()
        self._connections: dict[Any, None] = {}  # in the order of their beginning

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection."""
        with self._lock:
            if len(self._connections) >= THRESHOLDS.http_connections:
                oldest = next(iter(self._connections))
                del self._connections[oldest]
                with suppress(OSError):  # the client has gone
                    oldest.shutdown(socket.SHUT_RDWR)  # its thread closes it
            self._connections[request] = None
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        with self._lock:
            self._connections.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing: clients may leave or be too slow."""


def _read_head(connection: socket.socket) -> bytes:
    """Return a request up to its empty line, or as much of it as comes within the limits of time and size."""
    deadline, head = time.monotonic() + THRESHOLDS.http_timeout_s, b""
    while b"\r\n\r\n" not in head and len(head) < THRESHOLDS.http_head_bytes:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            data = connection.recv(THRESHOLDS.http_head_bytes - len(head))
        except OSError:
            return b""
        if not data:
            return b""
        head += data
    return head
