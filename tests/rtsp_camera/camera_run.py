"""A running ``stream-ocr run``, for tests with cameras."""

import http.client
import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

LONG_S = 60.0  # for a busy machine; usually a tenth of that is enough


class Run:
    """A running ``stream-ocr run``."""

    def __init__(self, program: "subprocess.Popen[str]", folder: Path, port: int) -> None:
        self.program, self.folder, self.port = program, folder, port
        self.config = folder / "live.yaml"

    def events(self, stream: str | None = None, *kinds: str) -> list[dict[str, Any]]:
        """Return the events written so far, of one stream and of some kinds, or all."""
        log = self.folder / "events.jsonl"
        whole = log.read_bytes().rpartition(b"\n")[0].splitlines() if log.exists() else []
        events = map(json.loads, whole)
        return [
            event for event in events if stream in (None, event["stream"]) and (not kinds or event["kind"] in kinds)
        ]

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition holds."""
        deadline = time.monotonic() + LONG_S
        while not condition():
            assert self.program.poll() is None, self.stderr()
            assert time.monotonic() < deadline, (self.stderr()[-2000:], self.events()[-3:])
            time.sleep(0.05)

    def wait_for_text(self, stream: str) -> None:
        """Wait until another text appears."""
        before = len(self.events(stream, "appeared"))
        self.wait_until(lambda: len(self.events(stream, "appeared")) > before)

    def replaced(self, stream: str, worker: str) -> int:
        """Return how often a gap of a stream reports that a worker was replaced."""
        reasons = [event["reason"] for event in self.events(stream, "source.gap")]
        return reasons.count(f"The {worker} worker was replaced.")

    def stderr(self) -> str:
        """Return what was written to standard error."""
        return (self.folder.parent / "stderr").read_text()

    def workers(self) -> dict[str, psutil.Process]:
        """Return the worker processes by name."""
        found = {}
        for process in psutil.Process(self.program.pid).children(recursive=True):
            try:
                title = " ".join(process.cmdline())
            except psutil.NoSuchProcess:
                continue
            if title.startswith("stream-ocr: "):
                found[title.removeprefix("stream-ocr: ").strip()] = process
        return found

    def get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def restarts(self) -> dict[str, int]:
        """Return how often each worker was replaced."""
        prefix = 'stream_ocr_worker_restarts_total{worker="'
        rows = [row.removeprefix(prefix) for row in self.get("/metrics")[1].splitlines() if row.startswith(prefix)]
        return {row.partition('"')[0]: int(float(row.rpartition(" ")[2])) for row in rows}

    def end(self, *signals: signal.Signals, within_s: float) -> int:
        """Send signals, wait for the exit and return the exit code."""
        for number in signals:
            self.program.send_signal(number)
            time.sleep(0.3)
        self.program.communicate(timeout=within_s)
        return self.program.returncode
