"""A server as its clients see it."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import psutil

BUILTIN = ("models=builtin", "device=cpu", "threads=1")


def soon(condition: Callable[[], Any], within_s: float = 20.0) -> bool:
    """Return whether a condition holds within a time."""
    deadline = time.monotonic() + within_s
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.002)
    return bool(found)


def is_gone(process: psutil.Process) -> bool:
    """Return whether a process ends soon; who adopts it may not reap it."""
    return soon(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)


def form(content: bytes, name: str = "clip.mp4", field: str = "file") -> tuple[bytes, dict[str, str]]:
    """Return the body of a form with one file, and its headers."""
    head = f'--frontier\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'.encode()
    return head + content + b"\r\n--frontier--\r\n", {"Content-Type": "multipart/form-data; boundary=frontier"}


@dataclass(frozen=True)
class Reply:
    """The whole answer to a request."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)

    @property
    def events(self) -> list[dict[str, Any]]:
        """Return the body as JSON lines, without the time at which an event was published."""
        return events_of(self.body.decode())

    @property
    def error(self) -> str:
        """Return the sentence of an error."""
        assert self.headers["content-type"] == "application/json"
        assert list(self.json) == ["error"]
        return self.json["error"]


def events_of(text: str) -> list[dict[str, Any]]:
    """Return JSON lines without the time at which an event was published."""
    events = [json.loads(line) for line in text.splitlines()]
    for event in events:
        event.pop("emitted_utc", None)
    return events


class Served:
    """The process of a server."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path, uploads: Path) -> None:
        self.process, self._log, self.uploads = process, log, uploads
        found = re.search(r"http://[\w.-]+:(\d+)/read", self.log)
        assert found is not None
        self.host, self.port = "127.0.0.1", int(found[1])

    @property
    def log(self) -> str:
        """Return what the server wrote to standard error."""
        return self._log.read_text()

    @property
    def readers(self) -> list[psutil.Process]:
        """Return the processes that read files."""
        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if (
                    " ".join(process.cmdline()).strip() == "stream-ocr: reader"
                    and process.status() != psutil.STATUS_ZOMBIE
                ):
                    found.append(process)
        return found

    def one_reader(self) -> psutil.Process:
        """Wait for a reader and return it."""
        assert soon(lambda: self.readers), self.log
        return self.readers[0]

    @contextmanager
    def open(
        self, query: str = "", body: Any = b"", headers: Mapping[str, str] | None = None, method: str = "POST"
    ) -> Iterator[HTTPConnection]:
        """Send a request and provide its connection. query: with the path if it begins with a slash."""
        connection = HTTPConnection(self.host, self.port, timeout=60)
        try:
            path = query if query.startswith("/") else f"/read?{query}"
            connection.request(method, path, body, dict(headers or {}))
            yield connection
        finally:
            connection.close()

    def send(self, query: str = "", body: Any = b"", headers: Mapping[str, str] | None = None, **more: Any) -> Reply:
        """Return the answer to a request."""
        with self.open(query, body, headers, **more) as connection:
            return reply_of(connection.getresponse())

    def read(self, file: Path, query: str = "", **headers: str) -> Reply:
        """Return the answer for a file that is sent in a form."""
        body, kind = form(file.read_bytes(), file.name)
        return self.send(query, body, {**kind, **headers})

    def is_idle(self) -> bool:
        """Return whether the readers end soon and the folder for files is empty."""
        return soon(lambda: not self.readers) and not list(self.uploads.iterdir())

    def kill(self) -> None:
        """End the server at once."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def reply_of(response: HTTPResponse) -> Reply:
    """Read an answer to its end."""
    body = response.read()
    return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, body)
