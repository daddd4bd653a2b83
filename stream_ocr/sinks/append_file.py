"""Append-only files of lines: each line is written completely or not at all."""

import fcntl
import os
from pathlib import Path

import msgspec

from stream_ocr.errors import SinkError
from stream_ocr.events import DECODE_ERRORS
from stream_ocr.logs import get_logger
from stream_ocr.sinks.thresholds import THRESHOLDS

log = get_logger(__name__)


class AppendFile:
    """JSON lines in a file. One writer at a time: the file is locked while it is open.

    Opening repairs a last line that a kill has truncated. size: bytes of complete lines.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises OSError, and SinkError when another writer has it open."""
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            lock(self._fd, path)
            self.size = self._repair_last_line()
        except BaseException:
            os.close(self._fd)
            raise

    def append(self, line: bytes) -> None:
        """Append a line. Raises OSError when it cannot be written completely, and leaves none of it in the file."""
        left = memoryview(line + b"\n")
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError:
            os.ftruncate(self._fd, self.size)
            raise
        self.size += len(line) + 1

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes of complete lines. Safe while another thread appends."""
        return os.pread(self._fd, min(length, self.size - offset), offset)

    def reset(self, path: Path) -> None:
        """Truncate the file and rename it to ``path``. Needs no free disk space."""
        os.ftruncate(self._fd, 0)
        self.size = 0
        self.path = self.path.rename(path)

    def close(self) -> None:
        """Close the file and release its lock."""
        os.close(self._fd)

    def _repair_last_line(self) -> int:
        """End a complete last line with its newline, or remove a truncated one. Return the size."""
        size = os.fstat(self._fd).st_size
        end = _end_of_last_line(self._fd, size)
        if end == size:
            return size
        try:
            msgspec.json.decode(os.pread(self._fd, size - end, end))
        except DECODE_ERRORS:
            os.ftruncate(self._fd, end)
            log.warning("removed a truncated last line", path=str(self.path), bytes=size - end)
            return end
        os.write(self._fd, b"\n")
        return size + 1


def _end_of_last_line(fd: int, size: int) -> int:
    while size:
        start = max(0, size - THRESHOLDS.tail_chunk_bytes)
        found = os.pread(fd, size - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        size = start
    return 0


def lock(fd: int, path: Path) -> None:
    """Lock an open file until it is closed. Raises SinkError when another writer holds the lock."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SinkError(f"{path} is in use by another writer; give each writer its own path.") from None
