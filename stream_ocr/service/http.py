"""/healthz, /readyz, /metrics, and for onlookers of this machine more, from a thread of the supervisor's process."""

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

Answer = tuple[HTTPStatus, bytes]
Show = Callable[[str, Mapping[str, str]], tuple[str, bytes] | None]
"""Path and query to content type and body; None: there is nothing there."""

_PATIENCE_S = 5.0
_NAMES = {"localhost", "127.0.0.1", "[::1]"}


class StatusServer:
    """Answers while it is entered. Raises SettingsError when the address cannot be had."""

    def __init__(self, listen: str, answers: dict[str, Callable[[], Answer]], show: Show = lambda *_: None) -> None:
        """listen: HOST:PORT. answers: by path. show: answers the other paths, though only to this machine."""
        host, _, port = listen.rpartition(":")

        class Handler(BaseHTTPRequestHandler):
            timeout = _PATIENCE_S

            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                kind = CONTENT_TYPE
                if answer := answers.get(path):
                    status, body = answer()
                elif self._is_near() and (shown := show(path, dict(parse_qsl(query)))):
                    status, (kind, body) = HTTPStatus.OK, shown
                else:
                    status, body = HTTPStatus.NOT_FOUND, b"not found\n"
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _is_near(self) -> bool:
                """Whether a program of this machine asks, and no page of others that gave this machine a name."""
                named = self.headers.get("Host", "").rpartition(":")[0]
                return named in _NAMES and ipaddress.ip_address(self.client_address[0]).is_loopback

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
                """Nobody wants a line each time that somebody asks."""

        try:
            self._server = ThreadingHTTPServer((host.strip("[]"), int(port)), Handler)
        except (OSError, OverflowError) as error:
            raise SettingsError(f"service.listen is {listen}, which cannot be had: {error}.") from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), name="status", daemon=True)

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
        """Where it answers."""
        return int(self._server.server_address[1])
