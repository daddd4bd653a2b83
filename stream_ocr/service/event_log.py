"""The latest events of a run for its web process: lines of JSON in a file in memory, which has no name.

The web process follows the file like any growing log, from its start, so it has all of them again after a restart.
"""

import os
from collections.abc import Sequence

from stream_ocr.events import Event
from stream_ocr.logs import get_logger
from stream_ocr.service.thresholds import THRESHOLDS

log = get_logger(__name__)


class EventLog:
    """Appends events, and drops the older half when the file gets too long. Close it."""

    def __init__(self, max_bytes: int = THRESHOLDS.event_log_bytes) -> None:
        self.fd = os.memfd_create("stream-ocr-events", os.MFD_CLOEXEC)
        self._max_bytes, self._size = max_bytes, 0

    def close(self) -> None:
        """Close the file."""
        os.close(self.fd)

    def append(self, events: Sequence[Event]) -> None:
        """Append events. A run goes on without this log if the system has no memory for it."""
        if not events:
            return
        lines = b"".join(event.to_json() + b"\n" for event in events)
        try:
            if self._size + len(lines) > self._max_bytes:
                self._drop_older_half()
            self._size += os.pwrite(self.fd, lines, self._size)
        except OSError as error:
            log.error("events are not shown on the dashboard", reason=str(error))

    def _drop_older_half(self) -> None:
        newer = os.pread(self.fd, self._max_bytes // 2, max(self._size - self._max_bytes // 2, 0))
        newer = newer[newer.find(b"\n") + 1 :]
        os.ftruncate(self.fd, 0)
        self._size = os.pwrite(self.fd, newer, 0)
