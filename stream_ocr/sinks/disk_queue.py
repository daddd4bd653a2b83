"""Lines that wait on disk between the thread that writes and the one that delivers them.

    FOLDER/00000000000000000000.jsonl    segments, named by the number of their first line; the last one grows
    FOLDER/done                          how many lines have been delivered

A line that ``put`` took is there after a kill -9 of the process, though perhaps not after a power cut: nothing waits
for the disk. Done lines go by whole segments, and ``done`` is written in place, so that a full disk stops neither.
"""

import os
import threading
from collections import deque
from pathlib import Path
from typing import Protocol

from stream_ocr.errors import SinkError
from stream_ocr.sinks.append_file import AppendFile, lock
from stream_ocr.sinks.base import reason

_SEGMENTS = 16  # a full spool has so many or more
_SEGMENT_BYTES = 1 << 20
_WORTH_EMPTYING_BYTES = 1 << 16
_DIGITS = 20
_READ_BYTES = 1 << 18


class Flag(Protocol):
    """Something that may have happened, such as a threading.Event."""

    def is_set(self) -> bool: ...


class QueueFullError(SinkError):
    """Raised when a line would make a spool larger than it may be."""


class _Segment:
    def __init__(self, path: Path, first: int) -> None:
        self.file = AppendFile(path)
        self.first = first
        with path.open("rb") as lines:
            self.end = first + sum(1 for _ in lines)


class DiskQueue:
    """A queue of lines in a folder of its own; one thread puts, one peeks and drops."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder, self._max_bytes = folder, max_bytes
        self._segment_bytes = min(max_bytes // _SEGMENTS, _SEGMENT_BYTES)
        self._segments: deque[_Segment] = deque()
        self._done = self._done_bytes = 0  # lines; bytes of the first segment
        self._done_fd = -1
        self._changed = threading.Condition()

    def open(self) -> None:
        """Take up what an earlier run left. Raises SinkError."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._done_fd = os.open(self.folder / "done", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            lock(self._done_fd, self.folder)
            paths = sorted(self.folder.glob("[0-9]" * _DIGITS + ".jsonl"))
            self._segments.extend(_Segment(path, int(path.stem)) for path in paths)
            self._take_up(os.pread(self._done_fd, _DIGITS, 0))
            self._write_done()  # here, so that later it can be written though the disk is full
        except OSError as error:
            self.close()
            raise SinkError(f"The spool {self.folder} cannot be used: {reason(error)}.") from error
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        with self._changed:
            return self._segments[-1].end - self._done if self._segments else 0

    def put(self, line: bytes) -> None:
        """Add a line. Raises SpoolFullError, or OSError when the disk does not take it."""
        with self._changed:
            if self._size() + len(line) + 1 > self._max_bytes:
                raise QueueFullError(f"the spool {self.folder} holds {self._max_bytes} bytes, which is all it may")
            last = self._segments[-1]
            if last.file.size >= self._segment_bytes:
                last = self._begin(last.end)
            last.file.append(line)
            last.end += 1
            self._changed.notify_all()

    def peek(self, count: int, stop: Flag) -> list[bytes]:
        """Up to ``count`` of the oldest lines, at least one; waits for it. None of them once ``stop`` is set."""
        with self._changed:
            self._changed.wait_for(lambda: stop.is_set() or self._segments[-1].end > self._done)
            if stop.is_set():
                return []
            while self._done == self._segments[0].end:  # a new one was begun since
                self._leave_first()
            head, offset = self._segments[0], self._done_bytes
        read = _READ_BYTES
        while b"\n" not in (data := head.file.read(offset, read)):
            read *= 2
        return data[: data.rindex(b"\n")].split(b"\n")[:count]

    def drop(self, lines: list[bytes]) -> None:
        """These first lines are done with."""
        with self._changed:
            self._done += len(lines)
            self._done_bytes += sum(map(len, lines)) + len(lines)
            if len(self._segments) > 1 and self._done == self._segments[0].end:
                self._leave_first()
            elif self._done == self._segments[0].end and self._done_bytes >= _WORTH_EMPTYING_BYTES:
                self._empty_first()
            self._write_done()
            self._changed.notify_all()

    def wait_until_empty(self, timeout_s: float, broken: Flag) -> None:
        """Until all is done with, or the time is over, or ``broken`` is set."""
        with self._changed:
            self._changed.wait_for(lambda: broken.is_set() or self._segments[-1].end == self._done, timeout_s)

    def wake(self) -> None:
        """Let those that wait look at their flags."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Let go; what waits stays."""
        for segment in self._segments:
            segment.file.close()
        self._segments.clear()
        if self._done_fd >= 0:
            os.close(self._done_fd)
            self._done_fd = -1

    def _take_up(self, done: bytes) -> None:
        first = self._segments[0].first if self._segments else 0
        self._done = max(first, int(done) if done.isdigit() else 0)
        if not self._segments:
            self._begin(self._done)
        self._done = min(self._done, self._segments[-1].end)
        while len(self._segments) > 1 and self._segments[0].end <= self._done:
            self._leave_first()
        with self._segments[0].file.path.open("rb") as lines:
            self._done_bytes = sum(len(next(lines)) for _ in range(self._done - self._segments[0].first))

    def _empty_first(self) -> None:
        """Use the only segment again. Killed half-way, it is empty under its old name, which does no harm."""
        segment = self._segments[0]
        segment.file.begin_anew(self._path(self._done))
        segment.first, self._done_bytes = self._done, 0

    def _path(self, first: int) -> Path:
        return self.folder / f"{first:0{_DIGITS}d}.jsonl"

    def _size(self) -> int:
        return sum(segment.file.size for segment in self._segments) - self._done_bytes

    def _begin(self, first: int) -> _Segment:
        segment = _Segment(self._path(first), first)
        self._segments.append(segment)
        return segment

    def _leave_first(self) -> None:
        segment = self._segments.popleft()
        segment.file.path.unlink()
        segment.file.close()
        self._done, self._done_bytes = max(self._done, self._segments[0].first), 0

    def _write_done(self) -> None:
        os.pwrite(self._done_fd, f"{self._done:0{_DIGITS}d}".encode(), 0)
