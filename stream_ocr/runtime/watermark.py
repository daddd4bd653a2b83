"""When to send the watermark of a ring; see docs/decisions/0007."""

import time

from stream_ocr.core.messages import Watermark
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.runtime.thresholds import THRESHOLDS


class WatermarkEmitter:
    """Watermarks of the ring that this worker writes.

    A watermark covers what this worker had written when it last sent a message, because it follows that message on the
    same way. Slots that a predecessor wrote may still be on their way beside it. They are covered only after
    ``lease_s``, when no live worker can hold them any more: one that did for so long would have been killed as hung.
    """

    def __init__(
        self,
        ring: Ring,
        name: str,
        *,
        interval_s: float = THRESHOLDS.watermark_interval_s,
        lease_s: float = THRESHOLDS.watermark_lease_s,
    ) -> None:
        self._ring, self._name, self._interval_s, self._lease_s = ring, name, interval_s, lease_s
        self._last_sent = ring.filled
        self._first_own = self._last_sent + 1
        self._started_s = self._emitted_s = time.monotonic()

    def sent(self) -> None:
        """Record that all references to slots written so far are sent."""
        self._last_sent = self._ring.filled

    def due(self) -> Watermark | None:
        """Return a watermark if the last one is at least ``interval_s`` ago."""
        now = time.monotonic()
        if now - self._emitted_s < self._interval_s:
            return None
        self._emitted_s = now
        first = 1 if now - self._started_s >= self._lease_s else self._first_own
        return Watermark(self._name, first, self._last_sent)
