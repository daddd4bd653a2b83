"""Which rows of a large picture are worth a close look: those where something has changed and come to rest.

The network sees large pictures reduced, and text of a few pixels is lost. A close look at all of one costs as much as
four others, so it waits until there is something that can be read, and is given a part at a time.
"""

import numpy as np

from stream_ocr.gating.change_detection import FrameDiff
from stream_ocr.gating.detection_schedule import MARGIN, TOLERANCE_S, Rows

LARGE = 2.0
"""Times the side that the network sees: pictures from there on are worth close looks."""

_REST_S = 0.5
_AGAIN_S = 4.0  # between close looks at the same rows, unless something sharp appeared there
_PARTS = 3  # of a picture, that one look takes at most


class FinePassScheduler:
    """Follows the changes of one stream."""

    def __init__(self, most_per_s: float) -> None:
        self._apart_s = 1 / most_per_s
        self._last_s = float("-inf")
        self._changed = np.zeros((0, 0), dtype=bool)  # tiles, since they were last looked at closely
        self._moved_s = np.zeros((0, 0))  # when they last did
        self._new = np.zeros(0, dtype=bool)  # rows of tiles in which something appeared since then
        self._looked_s = np.zeros(0)
        self._given: Rows = (0, 0)

    def see(self, change: FrameDiff, time_s: float) -> None:
        """Take in what changed in the next frame."""
        if change.mask.shape != self._changed.shape:
            self._changed, self._moved_s = np.zeros_like(change.mask), np.full(change.mask.shape, time_s)
            self._new, self._looked_s = np.zeros_like(change.sudden), np.full(change.sudden.shape, float("-inf"))
        self._changed |= change.mask
        self._moved_s[change.mask] = time_s
        self._new |= change.sudden

    def rows(self, time_s: float, *, stretch: float = 1.0) -> Rows | None:
        """Rows of tiles for a close look at the frame that was seen last; they count as looked at. None: not now."""
        if time_s - self._last_s < self._apart_s * stretch - TOLERANCE_S:
            return None
        rests = self._changed & (time_s - self._moved_s >= _REST_S - TOLERANCE_S)
        again = self._new | (time_s - self._looked_s >= _AGAIN_S - TOLERANCE_S)
        ready = np.flatnonzero(rests.any(axis=1) & again)
        if not ready.size:
            return None
        most = -(-self._new.size // _PARTS)
        first, last = int(ready[0]), int(ready[ready < ready[0] + most][-1]) + 1
        self._last_s, self._given = time_s, (first, last)
        self._changed[first:last] = self._new[first:last] = False
        self._looked_s[first:last] = time_s
        return max(first - MARGIN, 0), min(last + MARGIN, self._new.size)

    def owe(self) -> None:
        """The look did not come to pass."""
        self._last_s = float("-inf")
        self._changed[slice(*self._given)] = self._new[slice(*self._given)] = True
