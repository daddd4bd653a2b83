"""Webhook receivers for tests, on real sockets, and a sink that sends to them."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from stream_ocr.config.settings import Settings
from stream_ocr.config.sinks import WebhookSettings
from stream_ocr.sinks import Sinks, sinks_from_settings
from stream_ocr.testing import text_event

Action = Callable[[BaseHTTPRequestHandler], None]


QUICK = {"min_backoff_s": 0.02, "max_backoff_s": 0.2, "request_timeout_s": 20.0, "flush_timeout_s": 60.0}


class Receiver(ThreadingHTTPServer):
    """Answers each request with the next entry of ``script``, then with 204; keeps all requests."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, script: Sequence[int | Action] = ()) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = list(script)
        self.requests: list[tuple[int | None, dict[str, str], bytes]] = []
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/in?token=hunter2"

    def seqs(self, status: int = 204) -> list[int]:
        """Return the ``seq`` of the events in requests answered with this status, in order."""
        return [event["seq"] for code, _, body in self.requests if code == status for event in json.loads(body)]

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore broken connections: the tests cause them."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        body = self.rfile.read(length)
        if len(body) < length:  # its sender was killed while sending
            self.close_connection = True
            return
        step = self.server.script.pop(0) if self.server.script else 204
        status = step if isinstance(step, int) else None
        self.server.requests.append((status, {k.lower(): v for k, v in self.headers.items()}, body))
        if isinstance(step, int):
            answer(self, step)
        else:
            self.close_connection = True
            step(self)

    def log_message(self, *_: object) -> None:
        pass


def answer(handler: BaseHTTPRequestHandler, status: int, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    if status != 204:
        handler.send_header("content-length", "0")
    handler.end_headers()


@contextmanager
def sending(tmp_path: Path, url: str, **options: object) -> Iterator[Sinks]:
    settings = WebhookSettings(type="webhook", url=url, spool=tmp_path / "spool", **{**QUICK, **options})
    with Sinks(sinks_from_settings(Settings(sinks=(settings,)))) as sinks:
        yield sinks


def send(tmp_path: Path, url: str, seqs: Sequence[int], **options: object) -> Sinks:
    with sending(tmp_path, url, **options) as sinks:
        for seq in seqs:
            sinks.write(text_event(seq))
    return sinks


def count_spooled(tmp_path: Path) -> int:
    """Return the number of events still in the spool."""
    lines = sum(path.read_bytes().count(b"\n") for path in (tmp_path / "spool").glob("*.jsonl"))
    first = min(int(path.stem) for path in (tmp_path / "spool").glob("*.jsonl"))
    return lines - (int((tmp_path / "spool" / "done").read_text()) - first)


def hang(handler: BaseHTTPRequestHandler) -> None:
    handler.server.released.wait(60)


def reset(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
