"""Messages on behalf of sources that cannot send them: down, gap, closed."""

import time
from collections.abc import Iterable

from stream_ocr.core.messages import SourceChanged, StreamClosed
from stream_ocr.runtime.topology import Process
from stream_ocr.runtime.worker_pool import WorkerPool
from stream_ocr.stages.base import EPOCHS_PER_INCARNATION


class SourceStatus:
    """Tracks how far each stream has been read, and sends messages when its source or a later worker fails."""

    def __init__(self, pool: WorkerPool, origin_s: float) -> None:
        """origin_s: monotonic time that is media time 0 of all sources."""
        self._pool, self._origin_s = pool, origin_s
        self._read_until_s: dict[str, float] = {}  # media time, by stream

    def published(self, stream: str, time_s: float) -> None:
        """Record that a stream has been read up to a media time."""
        self._read_until_s[stream] = time_s

    def closed(self, stream: str) -> None:
        """Record that a stream has closed."""
        self._read_until_s.pop(stream, None)

    def announce_down(self, source: Process, reason: str) -> None:
        """Send that a source is down. reason: a sentence."""
        stream = _stream(source)
        start_s = self._read_until_s.get(stream, self._now_s())
        self._pool.send_for(source, SourceChanged(stream, "down", self._epoch(source), start_s, reason=reason))

    def announce_gaps(self, processes: Iterable[Process], reason: str) -> None:
        """Send for every stream that is being read that frames were lost. reason: a sentence."""
        now_s = self._now_s()
        for source in processes:
            if source.stream is not None and source.stream in self._read_until_s:
                start_s = min(self._read_until_s[source.stream], now_s)
                gap = SourceChanged(source.stream, "gap", self._epoch(source), start_s, now_s, reason=reason)
                self._pool.send_for(source, gap)

    def announce_closed(self, source: Process) -> None:
        """Send that a stream has closed, in place of its source."""
        stream = _stream(source)
        end_s = self._read_until_s.get(stream, 0.0)
        incarnation = self._pool.incarnation(source.name)
        self._pool.send_for(source, StreamClosed(stream, "interrupted", 0.0, end_s, {}, incarnation))

    def _now_s(self) -> float:
        return time.monotonic() - self._origin_s

    def _epoch(self, source: Process) -> int:
        return self._pool.incarnation(source.name) * EPOCHS_PER_INCARNATION


def _stream(source: Process) -> str:
    assert source.stream is not None, "a source reads a stream"
    return source.stream
