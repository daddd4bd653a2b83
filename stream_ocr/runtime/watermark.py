"""When to say how far a ring has been filled; see docs/decisions/0007."""

import time

from stream_ocr.core.messages import Watermark
from stream_ocr.runtime.shm_ring import Ring

_EVERY_S = 1.0
_LEASE_S = 10.0


class WatermarkEmitter:
    """Gives the marks of the ring that this worker fills.

    A mark vouches for what this worker had filled when it last sent a message, for it follows that on the same way.
    What a predecessor filled may still be on its way beside it; that is vouched for only ``lease_s`` later, when no
    worker that lives can have it in hand any more: one that kept it for so long would have been taken for dead.
    """

    def __init__(self, ring: Ring, name: str, *, every_s: float = _EVERY_S, lease_s: float = _LEASE_S) -> None:
        self._ring, self._name, self._every_s, self._lease_s = ring, name, every_s, lease_s
        self._sent = ring.filled
        self._own = self._sent + 1
        self._begun_s = self._last_s = time.monotonic()

    def sent(self) -> None:
        """All references to what has been filled so far are sent."""
        self._sent = self._ring.filled

    def due(self) -> Watermark | None:
        """A mark, when the last one is long enough ago."""
        now = time.monotonic()
        if now - self._last_s < self._every_s:
            return None
        self._last_s = now
        first = 1 if now - self._begun_s >= self._lease_s else self._own
        return Watermark(self._name, first, self._sent)
