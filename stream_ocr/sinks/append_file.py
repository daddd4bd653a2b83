"""A file of lines that only grows, each line whole or not at all."""

import fcntl
import os
from pathlib import Path

import msgspec
import structlog

from stream_ocr.errors import SinkError
from stream_ocr.events import DECODE_ERRORS

log = structlog.get_logger(__name__)
_STEP_BYTES = 1 << 16


class AppendFile:
    """Lines of JSON in a file. One writer at a time: the file is locked while it is open.

    A last line that a kill has cut off is mended when the file is opened. size: bytes of whole lines.
    """

    def __init__(self, path: Path) -> None:
        """Open it, or make it. Raises OSError, and SinkError when somebody else writes to it."""
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            lock(self._fd, path)
            self.size = self._mend()
        except BaseException:
            os.close(self._fd)
            raise

    def append(self, line: bytes) -> None:
        """Add a line. Raises OSError when it cannot be added whole; then nothing of it is left."""
        left = memoryview(line + b"\n")
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError:
            os.ftruncate(self._fd, self.size)
            raise
        self.size += len(line) + 1

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of whole lines; safe while another thread appends."""
        return os.pread(self._fd, min(length, self.size - offset), offset)

    def begin_anew(self, path: Path) -> None:
        """Forget all lines and go by another name; needs no room on the disk."""
        os.ftruncate(self._fd, 0)
        self.size = 0
        self.path = self.path.rename(path)

    def close(self) -> None:
        """Let go."""
        os.close(self._fd)

    def _mend(self) -> int:
        """Complete a last line that lacks only its end, or else cut it off; the size then."""
        size = os.fstat(self._fd).st_size
        end = _end_of_last_line(self._fd, size)
        if end == size:
            return size
        try:
            msgspec.json.decode(os.pread(self._fd, size - end, end))
        except DECODE_ERRORS:
            os.ftruncate(self._fd, end)
            log.warning("last line was cut off and is removed", path=str(self.path), bytes=size - end)
            return end
        os.write(self._fd, b"\n")
        return size + 1


def _end_of_last_line(fd: int, size: int) -> int:
    while size:
        start = max(0, size - _STEP_BYTES)
        found = os.pread(fd, size - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        size = start
    return 0


def lock(fd: int, path: Path) -> None:
    """Keep others away from an open file until it is closed. Raises SinkError when they are there already."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SinkError(f"{path} is in use by another writer; give each its own.") from None
