"""Traces: when each worker worked on what, in the format of Chrome's trace viewer, which Perfetto shows.

Format: "Trace Event Format" of the Chromium project, as a JSON array without its closing bracket, which may be missing.
All workers append to one file; the kernel does not mix lines that are appended by single writes.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from stream_ocr.core.messages import Detections, FrameRef, Message, Readings, Tracks
from stream_ocr.logs import get_logger

log = get_logger(__name__)


def create_trace(path: str | Path) -> None:
    """Create the file of a trace, or replace it. Raises OSError."""
    Path(path).write_bytes(b"[\n")


class Trace:
    """Appends the spans of one worker to a trace, as a row of its own.

    A file that cannot be written ends the trace of this worker and not the run.
    """

    def __init__(self, path: str | None, row: str) -> None:
        """path: of the file of ``create_trace``; None: nothing is traced. row: name of the row."""
        self._fd: int | None = None
        self._row, self._pid = row, os.getpid()
        self._since_ns, self._waited = 0, False
        if path is not None:
            try:
                self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            except OSError as error:
                log.warning("a worker is not traced", worker=row, reason=str(error))
        self._write("M", "process_name", args={"name": row})

    def begin(self) -> None:
        """Begin a span."""
        self._since_ns, self._waited = time.monotonic_ns(), False

    def note_wait(self) -> None:
        """Note that the later stages have no room."""
        self._waited = True

    def end(self, messages: Sequence[Message]) -> None:
        """End the span. messages: what it worked on."""
        if self._fd is None:
            return
        since_us, dur_us = self._since_ns / 1e3, (time.monotonic_ns() - self._since_ns) / 1e3
        facts = _facts(messages) | ({"waited": True} if self._waited else {})
        self._write("X", self._row.partition("/")[0], ts=since_us, dur=dur_us, args=facts)

    def _write(self, phase: str, name: str, **fields: Any) -> None:
        if self._fd is None:
            return
        line = msgspec.json.encode({"ph": phase, "name": name, "pid": self._pid, "tid": 0, **fields})
        try:
            os.write(self._fd, line + b",\n")
        except OSError as error:
            os.close(self._fd)
            self._fd = None
            log.warning("the trace of a worker has ended", worker=self._row, reason=str(error))


def _facts(messages: Sequence[Message]) -> dict[str, Any]:
    """Return the media times of each stream, the work on frames, and the age of the oldest frame."""
    times_s: dict[str, list[float]] = {}
    actions: list[str] = []
    captured_ns: list[int] = []
    for message in messages:
        frame = message.frame if isinstance(message, Detections) else message
        if isinstance(frame, FrameRef | Tracks | Readings):
            stamp = frame.stamp
            times_s.setdefault(stamp.stream, []).append(round(stamp.time_s, 3))
            captured_ns += [stamp.captured_ns] if stamp.captured_ns else []
        if isinstance(frame, FrameRef):
            actions.append(frame.action)
    facts: dict[str, Any] = {"media_s": times_s} if times_s else {}
    if actions:
        facts["actions"] = actions
    if captured_ns:
        facts["age_ms"] = round((time.time_ns() - min(captured_ns)) / 1e6, 1)
    return facts
