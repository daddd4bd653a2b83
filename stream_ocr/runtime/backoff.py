"""When a worker that failed is started again: soon at first, more and more patiently, and never given up."""

import random
from collections import deque

FIRST_S, LONGEST_S = 0.25, 30.0
JITTER = 0.2
HEALTHY_S = 60.0  # after so long without a failure the patience begins anew
DEGRADED_FAILURES = 5  # within HEALTHY_S
_MOST_DOUBLED = 16  # far beyond LONGEST_S, and still a float after thousands of failures


class Backoff:
    """The failures of one worker. All times are seconds of one clock, which never goes back."""

    def __init__(self, chance: random.Random | None = None) -> None:
        self.count = 0
        self._chance = chance or random.Random()
        self._recent: deque[float] = deque(maxlen=DEGRADED_FAILURES)
        self._in_a_row = 0

    def failed(self, now_s: float) -> float:
        """Count a failure; when to start again."""
        if self._recent and now_s - self._recent[-1] >= HEALTHY_S:
            self._in_a_row = 0
        self.count += 1
        self._recent.append(now_s)
        delay_s = min(FIRST_S * 2.0 ** min(self._in_a_row, _MOST_DOUBLED), LONGEST_S)
        self._in_a_row += 1
        return now_s + delay_s * self._chance.uniform(1 - JITTER, 1 + JITTER)

    def degraded(self, now_s: float) -> bool:
        """Whether it has failed so often of late that something is wrong for good."""
        return len(self._recent) == DEGRADED_FAILURES and now_s - self._recent[0] < HEALTHY_S
