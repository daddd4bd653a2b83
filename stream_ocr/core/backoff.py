"""Exponential back-off with jitter: one formula for restarts, reconnections and deliveries."""

import random
from dataclasses import dataclass, field

_MAX_DOUBLINGS = 30  # far beyond any ``longest_s``, and still a finite float after thousands of failures


@dataclass(frozen=True)
class Backoff:
    """Delays in seconds that double from ``first_s`` to ``longest_s``.

    jitter: lower and upper factor of each delay, drawn uniformly, so that many clients do not retry in step.
    """

    first_s: float
    longest_s: float
    jitter: tuple[float, float] = (0.8, 1.2)
    rng: random.Random = field(default_factory=random.Random, repr=False, compare=False)

    def delay_s(self, failures: int) -> float:
        """Return the delay after ``failures`` failures in a row; 0 counts as 1."""
        doublings = min(max(failures - 1, 0), _MAX_DOUBLINGS)
        return self._jittered(min(self.first_s * 2.0**doublings, self.longest_s))

    def longest_delay_s(self) -> float:
        """Return the delay for a failure that waiting is unlikely to cure."""
        return self._jittered(self.longest_s)

    def _jittered(self, delay_s: float) -> float:
        return delay_s * self.rng.uniform(*self.jitter)
