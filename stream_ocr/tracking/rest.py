"""Where a text rests: the place that tells a reader where it stood, if it flies in and out."""

import numpy as np

from stream_ocr.core.geometry import side_lengths, to_flat
from stream_ocr.core.messages import Rest
from stream_ocr.tracking.thresholds import MOTION


class RestingPlace:
    """Finds the places at which one text rests. latest: the last one, None if it has moved all the time."""

    def __init__(self) -> None:
        self.latest: Rest | None = None
        self._quad: np.ndarray | None = None  # where it may be resting
        self._since_s = 0.0

    def update(self, quad: np.ndarray, time_s: float) -> None:
        """Update with the place of the text, (4, 2), in the next frame."""
        same = quad is self._quad  # in frames that show the text unchanged
        if self._quad is None or not (same or _distance(self._quad, quad) <= MOTION.max_rest_drift):
            self._quad, self._since_s = quad, time_s
        elif self.latest is not None and self.latest.since_s == self._since_s:
            self.latest = Rest(self.latest.quad, self._since_s, time_s)
        elif time_s - self._since_s >= MOTION.min_rest_s:
            self.latest = Rest(to_flat(self._quad), self._since_s, time_s)


def _distance(quad: np.ndarray, other: np.ndarray) -> float:
    """Return the distance of two centres in heights of the text."""
    return float(np.linalg.norm(other.mean(axis=0) - quad.mean(axis=0))) / side_lengths(quad)[1]
