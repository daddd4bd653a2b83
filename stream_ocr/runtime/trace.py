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


def create_trace(path: str | Path) -> None:
    """Create the file of a trace, or replace it. Raises OSError."""
    Path(path).write_bytes(b"[\n")


class Trace:
    """Appends the spans of one worker to a trace, as a row of its own."""

    def __init__(self, path: str | Path, row: str) -> None:
        """Open the file of ``create_trace``. row: name of the row. Raises OSError."""
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._pid = os.getpid()
        self._write("M", "process_name", args={"name": row})

    def add(self, name: str, since_ns: int, messages: Sequence[Message], *, waited: bool) -> None:
        """Add a span that ends now.

        since_ns: its start (``time.monotonic_ns``). messages: what it worked on. waited: later stages had no room.
        """
        facts = _facts(messages) | ({"waited": True} if waited else {})
        self._write("X", name, ts=since_ns / 1e3, dur=(time.monotonic_ns() - since_ns) / 1e3, args=facts)

    def _write(self, phase: str, name: str, **fields: Any) -> None:
        line = msgspec.json.encode({"ph": phase, "name": name, "pid": self._pid, "tid": 0, **fields})
        os.write(self._fd, line + b",\n")


def _facts(messages: Sequence[Message]) -> dict[str, Any]:
    """Return the media times of each stream, the work of frames, and the age of the oldest camera frame."""
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
