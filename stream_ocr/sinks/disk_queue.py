"""A persistent queue of lines between the thread that writes and the one that delivers them.

    FOLDER/00000000000000000000.jsonl    segments, named by the number of their first line; the last one grows
    FOLDER/done                          number of lines delivered

A line that ``put`` has accepted survives a kill -9 of the process, but perhaps not a power cut: nothing is synced.
Delivered lines are removed by whole segments, and ``done`` is overwritten in place, so both work on a full disk.
"""

import os
import threading
from collections import deque
from pathlib import Path
from typing import Protocol

from stream_ocr.errors import SinkError
from stream_ocr.sinks.append_file import AppendFile, lock
from stream_ocr.sinks.base import describe_error
from stream_ocr.sinks.thresholds import THRESHOLDS

_DIGITS = 20  # of line numbers in file names and in ``done``


class Flag(Protocol):
    """A flag that may be set, such as a threading.Event."""

    def is_set(self) -> bool: ...


class QueueFullError(SinkError):
    """Raised when a line would make a queue exceed its size limit."""


class _Segment:
    def __init__(self, path: Path, first: int) -> None:
        self.file = AppendFile(path)
        self.first = first
        with path.open("rb") as lines:
            self.end = first + sum(1 for _ in lines)


class DiskQueue:
    """A FIFO queue of lines in its own folder. One thread puts, one peeks and drops."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder, self._max_bytes = folder, max_bytes
        self._segment_bytes = min(max_bytes // THRESHOLDS.queue_min_segments, THRESHOLDS.queue_max_segment_bytes)
        self._segments: deque[_Segment] = deque()
        self._done = self._done_bytes = 0  # lines; bytes of the first segment
        self._done_fd = -1
        self._changed = threading.Condition()

    def open(self) -> None:
        """Open the queue with the lines that an earlier run left. Raises SinkError."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._done_fd = os.open(self.folder / "done", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            lock(self._done_fd, self.folder)
            paths = sorted(self.folder.glob("[0-9]" * _DIGITS + ".jsonl"))
            self._segments.extend(_Segment(path, int(path.stem)) for path in paths)
            self._resume(os.pread(self._done_fd, _DIGITS, 0))
            self._write_done()  # allocates the block, so that later writes work on a full disk
        except OSError as error:
            self.close()
            raise SinkError(f"The spool {self.folder} cannot be used: {describe_error(error)}.") from error
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        with self._changed:
            return self._segments[-1].end - self._done if self._segments else 0

    def put(self, line: bytes) -> None:
        """Append a line. Raises QueueFullError, or OSError when the disk refuses it."""
        with self._changed:
            if self._size() + len(line) + 1 > self._max_bytes:
                raise QueueFullError(f"the spool {self.folder} is full: it holds {self._max_bytes} bytes")
            last = self._segments[-1]
            if last.file.size >= self._segment_bytes:
                last = self._add_segment(last.end)
            last.file.append(line)
            last.end += 1
            self._changed.notify_all()

    def peek(self, count: int, stop: Flag) -> list[bytes]:
        """Wait for a line and return the oldest lines, 1 to ``count``. Return [] once ``stop`` is set."""
        with self._changed:
            self._changed.wait_for(lambda: stop.is_set() or self._segments[-1].end > self._done)
            if stop.is_set():
                return []
            while self._done == self._segments[0].end:  # a new segment was started meanwhile
                self._remove_first()
            head, offset = self._segments[0], self._done_bytes
        read = THRESHOLDS.queue_read_bytes
        while b"\n" not in (data := head.file.read(offset, read)):
            read *= 2
        return data[: data.rindex(b"\n")].split(b"\n")[:count]

    def drop(self, lines: list[bytes]) -> None:
        """Remove these lines, the oldest of the queue."""
        with self._changed:
            self._done += len(lines)
            self._done_bytes += sum(map(len, lines)) + len(lines)
            if len(self._segments) > 1 and self._done == self._segments[0].end:
                self._remove_first()
            elif self._done == self._segments[0].end and self._done_bytes >= THRESHOLDS.queue_reset_bytes:
                self._reset_first()
            self._write_done()
            self._changed.notify_all()

    def wait_until_empty(self, timeout_s: float, broken: Flag) -> None:
        """Wait until the queue is empty, ``timeout_s`` has passed or ``broken`` is set."""
        with self._changed:
            self._changed.wait_for(lambda: broken.is_set() or self._segments[-1].end == self._done, timeout_s)

    def wake(self) -> None:
        """Make waiting threads check their flags."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        """Close the files. Lines that were not dropped stay for the next run."""
        for segment in self._segments:
            segment.file.close()
        self._segments.clear()
        if self._done_fd >= 0:
            os.close(self._done_fd)
            self._done_fd = -1

    def _resume(self, done: bytes) -> None:
        first = self._segments[0].first if self._segments else 0
        self._done = max(first, int(done) if done.isdigit() else 0)
        if not self._segments:
            self._add_segment(self._done)
        self._done = min(self._done, self._segments[-1].end)
        while len(self._segments) > 1 and self._segments[0].end <= self._done:
            self._remove_first()
        with self._segments[0].file.path.open("rb") as lines:
            self._done_bytes = sum(len(next(lines)) for _ in range(self._done - self._segments[0].first))

    def _reset_first(self) -> None:
        """Reuse the only segment. A kill in between leaves it empty under its old name, which is harmless."""
        segment = self._segments[0]
        segment.file.reset(self._path(self._done))
        segment.first, self._done_bytes = self._done, 0

    def _path(self, first: int) -> Path:
        return self.folder / f"{first:0{_DIGITS}d}.jsonl"

    def _size(self) -> int:
        return sum(segment.file.size for segment in self._segments) - self._done_bytes

    def _add_segment(self, first: int) -> _Segment:
        segment = _Segment(self._path(first), first)
        self._segments.append(segment)
        return segment

    def _remove_first(self) -> None:
        segment = self._segments.popleft()
        segment.file.path.unlink()
        segment.file.close()
        self._done, self._done_bytes = max(self._done, self._segments[0].first), 0

    def _write_done(self) -> None:
        os.pwrite(self._done_fd, f"{self._done:0{_DIGITS}d}".encode(), 0)
