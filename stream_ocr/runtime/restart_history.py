"""The failures of one worker: when to restart it, and whether it keeps failing."""

import random
from collections import deque

from stream_ocr.core.backoff import Backoff
from stream_ocr.runtime.thresholds import THRESHOLDS


class RestartHistory:
    """Failures of one worker. All times are seconds of one clock that never goes back. A restart is never given up."""

    def __init__(self, rng: random.Random | None = None) -> None:
        self.count = 0
        self._backoff = Backoff(
            THRESHOLDS.restart_first_s, THRESHOLDS.restart_longest_s, rng=rng if rng is not None else random.Random()
        )
        self._recent: deque[float] = deque(maxlen=THRESHOLDS.degraded_failures)
        self._in_a_row = 0

    def failed(self, now_s: float) -> float:
        """Count a failure. Return the time at which to restart."""
        if self._recent and now_s - self._recent[-1] >= THRESHOLDS.restart_healthy_s:
            self._in_a_row = 0
        self.count += 1
        self._in_a_row += 1
        self._recent.append(now_s)
        return now_s + self._backoff.delay_s(self._in_a_row)

    def degraded(self, now_s: float) -> bool:
        """Return whether the worker failed so often of late that waiting will not cure it."""
        is_full = len(self._recent) == THRESHOLDS.degraded_failures
        return is_full and now_s - self._recent[0] < THRESHOLDS.restart_healthy_s
