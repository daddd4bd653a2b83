"""/healthz, /readyz and /metrics over HTTP, from a thread of the supervisor's process."""

import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from stream_ocr.errors import SettingsError
from stream_ocr.operation.metrics import CONTENT_TYPE

Answer = tuple[HTTPStatus, bytes]
_PATIENCE_S = 5.0


class StatusServer:
    """Answers while it is entered. Raises SettingsError when the address cannot be had."""

    def __init__(self, listen: str, answers: dict[str, Callable[[], Answer]]) -> None:
        """listen: HOST:PORT. answers: by path."""
        host, _, port = listen.rpartition(":")

        class Handler(BaseHTTPRequestHandler):
            timeout = _PATIENCE_S

            def do_GET(self) -> None:
                answer = answers.get(self.path.partition("?")[0])
                status, body = answer() if answer else (HTTPStatus.NOT_FOUND, b"not found\n")
                self.send_response(status)
                self.send_header("Content-Type", CONTENT_TYPE)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
                """Nobody wants a line each time that somebody asks."""

        try:
            self._server = ThreadingHTTPServer((host.strip("[]"), int(port)), Handler)
        except (OSError, OverflowError) as error:
            raise SettingsError(f"operation.listen is {listen}, which cannot be had: {error}.") from error
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
