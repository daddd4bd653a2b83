"""HTTP server of a run: /healthz, /readyz, /metrics, and the preview for programs on this machine."""

import ipaddress
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl

from stream_ocr.errors import SettingsError
from stream_ocr.service.metrics import CONTENT_TYPE
from stream_ocr.service.thresholds import THRESHOLDS

Response = tuple[HTTPStatus, bytes]
LocalHandler = Callable[[str, Mapping[str, str]], tuple[str, bytes] | None]
"""Takes path and query; returns content type and body, or None for "not found"."""

_LOCAL_NAMES = {"localhost", "127.0.0.1", "[::1]"}


class StatusServer:
    """Serves in a thread while it is entered."""

    def __init__(
        self, listen: str, routes: Mapping[str, Callable[[], Response]], local: LocalHandler = lambda *_: None
    ) -> None:
        """Bind. Raise SettingsError if the address is not available.

        listen: HOST:PORT. routes: by path, for everybody. local: handles all other paths, for this machine only.
        """
        host, _, port = listen.rpartition(":")

        class Handler(BaseHTTPRequestHandler):
            timeout = THRESHOLDS.http_timeout_s

            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                content_type = CONTENT_TYPE
                if route := routes.get(path):
                    status, body = route()
                elif self._is_local() and (found := local(path, dict(parse_qsl(query)))):
                    status, (content_type, body) = HTTPStatus.OK, found
                else:
                    status, body = HTTPStatus.NOT_FOUND, b"not found\n"
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _is_local(self) -> bool:
                """Return whether a program of this machine asks, and not a web page by DNS rebinding."""
                name = self.headers.get("Host", "").rpartition(":")[0]
                return name in _LOCAL_NAMES and ipaddress.ip_address(self.client_address[0]).is_loopback

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - name of the base class
                """Log nothing: requests come every few seconds."""

        try:
            self._server = ThreadingHTTPServer((host.strip("[]"), int(port)), Handler)
        except (OSError, OverflowError) as error:
            raise SettingsError(f"service.listen is {listen}, which is not available: {error}.") from error
        self._server.daemon_threads = True
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
    def port(self) -> int:
        """TCP port on which it listens."""
        return int(self._server.server_address[1])
